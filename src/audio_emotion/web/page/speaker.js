// Somebody's neutral voice, and probabilities adjusted to it: `inference/speaker.py` and `inference/enrolment.py`.
// Golden vectors that Python writes hold the two together: tests/browser/rule.test.js.

import { Problem } from "./problem.js";

const DECIMALS = 6; // of what is kept
const rounded = (value) => Number(value.toFixed(DECIMALS));

/** Return the speaker of a recording, with the fields of a speaker's file, and warnings.
 *  @param regions  of speech: seconds, and the rows of their windows */
export function enrolled(regions, facts) {
  const { enrolment, labels, model } = facts, { min_dur: least, max_dur: most } = enrolment;
  const total = regions.reduce((sum, { seconds }) => sum + seconds, 0);
  if (total < least) {
    throw new Problem(`${total.toFixed(2)} s of speech are too little; an enrolment needs ${least} s: speak longer.`);
  }
  let left = most;
  const logs = labels.map(() => 0);
  for (const { seconds, rows } of regions) {
    const share = Math.min(1, left / seconds);
    if (share <= 0) break;
    const used = rows.slice(0, Math.max(1, Math.round(share * rows.length)));
    labels.forEach((_, n) => {
      const mean = used.reduce((sum, row) => sum + Math.log(Math.max(row[n], enrolment.floor)), 0) / used.length;
      logs[n] += share * seconds * mean;
    });
    left -= share * seconds;
  }
  const mean = logs.map((value) => rounded(value / (most - left)));
  return {
    format: enrolment.format, model: model.sha256, speech_dur: rounded(most - left), clips: 1,
    log_probabilities: Object.fromEntries(labels.map((label, n) => [label, mean[n]])),
    warnings: farFromNeutral(mean, facts),
  };
}

/** Return what each label's probability is multiplied by. */
export function factorsOf({ log_probabilities: mean, speech_dur: seconds }, { enrolment, labels }) {
  const strength = (enrolment.strength * seconds) / (seconds + enrolment.half_dur);
  return labels.map((label) => Math.exp(-strength * (mean[label] - enrolment.reference[label])));
}

/** Return probabilities times factors, with a sum of 1. */
export function adjusted(row, factors) {
  const scaled = row.map((value, n) => value * factors[n]), sum = scaled.reduce((a, b) => a + b, 0);
  return scaled.map((value) => value / sum);
}

function farFromNeutral(mean, { enrolment, labels }) {
  const share = mean.map(Math.exp), sum = share.reduce((a, b) => a + b, 0);
  const of = (label) => (labels.includes(label) ? share[labels.indexOf(label)] / sum : 0);
  if (enrolment.unexcited.reduce((total, label) => total + of(label), 0) >= enrolment.least_neutral) return [];
  const best = labels.reduce((a, b) => (of(b) > of(a) ? b : a)), percent = (label) => `${(100 * of(label)).toFixed(0)}%`;
  return [{
    code: "not_neutral",
    message: `the recordings sound ${best} (${percent(best)}) rather than neutral (${percent("neutral")}): is that your normal voice? If not, enrol again`,
  }];
}
