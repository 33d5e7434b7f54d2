// What a recording's answer rests on: the rule of `inference/speech.py`, with its numbers.
// Golden vectors that Python writes hold the two together: tests/browser/rule.test.js.

import { SpeechRegions } from "./regions.js";
import { adjusted, factorsOf } from "./speaker.js";

export const NO_SPEECH = "no speech", TOO_SHORT = "too short";
const SILENT = 1e-10; // amplitude that no recording resolves

/** Return the signal levelled to a peak of 1; null if it holds nothing. */
export function levelled(samples) {
  let peak = 0;
  for (const sample of samples) peak = Math.max(peak, Math.abs(sample));
  if (!(peak > SILENT)) return null;
  const gain = Math.fround(1 / peak);
  return samples.map((sample) => sample * gain);
}

/** Return the first samples of windows that cover a part, the last flush with its end. */
export function windowStarts(samples, window, hop) {
  if (samples <= window) return [0];
  const starts = [];
  for (let at = 0; at < samples - window; at += hop) starts.push(at);
  return [...starts, samples - window];
}

/** Return first and last sample of each region of speech.
 *  `probabilities` are the detector's, one for each `rule.chunk` samples. */
export function speechRegions(probabilities, length, rule) {
  const detector = new SpeechRegions(rule);
  const found = [...probabilities.map((probability) => detector.push(probability)), detector.close(length)];
  return found.filter((region) => region && region.end !== null).map(({ start, end }) => [start, Math.min(end, length)]);
}

/** Say whether there is too little speech for an answer, or hardly enough; null if it will do. */
export function judge(duration, speech, rule) {
  if (duration < rule.min_dur || (speech > 0 && speech < rule.min_dur)) {
    const shortest = Math.round(1000 * (speech || duration));
    return { code: "too_short", message: `${shortest} ms of speech are too short` };
  }
  if (!speech) return { code: "no_speech", message: "nobody speaks or sings" };
  if (speech < rule.guess_dur) {
    return { code: "short_speech", message: `a guess from ${speech.toFixed(2)} s of speech` };
  }
  return null;
}

/** Return the mean of rows, each with a weight. */
export function mean(rows, weights) {
  const total = weights.reduce((a, b) => a + b, 0);
  return Array.from(rows[0], (_, n) =>
    rows.reduce((sum, row, at) => sum + row[n] * weights[at], 0) / total);
}

/** Return the answer about a recording, with the fields of the service's.
 *  @param samples  mono, at `rule.rate`
 *  @param model    maps samples to {probabilities, start, length, voicing}
 *  @param detect   maps samples to the detector's probabilities
 *  @param speaker  whose voice it is, if that is known; then `plain` is the answer without it */
export async function answer(samples, facts, model, detect, speaker = null) {
  const { rule } = facts, duration = samples.length / rule.rate;
  const regions = await speech(samples, facts, model, detect);
  const spoken = regions.reduce((sum, region) => sum + region.seconds, 0);
  const notice = judge(duration, spoken, rule);
  const rest = { duration, speech_dur: spoken, warnings: notice ? [notice] : [] };
  if (notice && notice.code !== "short_speech") {
    const label = notice.code === "too_short" ? TOO_SHORT : NO_SPEECH;
    return { ...rest, label, confidence: null, confident: false, runner_up: null, probabilities: null };
  }
  const plain = ranked(combined(regions), facts, notice);
  if (!speaker) return { ...rest, ...plain };
  const factors = factorsOf(speaker, facts);
  const own = regions.map(({ seconds, rows }) => ({ seconds, rows: rows.map((row) => adjusted(row, factors)) }));
  return { ...rest, ...ranked(combined(own), facts, notice), plain };
}

/** Return the mean row of regions: of windows in a region, then of regions by their seconds. */
function combined(regions) {
  return mean(regions.map(({ rows }) => mean(rows, rows.map(() => 1))), regions.map(({ seconds }) => seconds));
}

function ranked(row, facts, notice) {
  const sum = row.reduce((a, b) => a + b, 0);
  const entries = facts.labels.map((label, n) => [label, row[n] / sum]);
  const [[label, confidence], [second]] = [...entries].sort((a, b) => b[1] - a[1]);
  const confident = !notice && confidence >= facts.model.calibration.threshold;
  return { label, confidence, confident, runner_up: second, probabilities: Object.fromEntries(entries) };
}

/** Return the seconds of each region of speech, and the rows of its windows. */
export async function speech(samples, { rule }, model, detect) {
  const signal = levelled(samples);
  if (!signal || samples.length < 2) return [];
  if (signal.length <= rule.whole_dur * rule.rate) {
    const whole = await model(signal);
    if (whole.voicing >= rule.voiced && whole.length <= rule.win_dur * rule.rate) {
      return [{ seconds: whole.length / rule.rate, rows: [whole.probabilities] }];
    }
  }
  const found = [];
  for (const [start, end] of speechRegions(await detect(signal), signal.length, rule)) {
    found.push(await part(signal.subarray(start, end), rule, model));
  }
  return found;
}

async function part(signal, rule, model) {
  const window = Math.round(rule.win_dur * rule.rate);
  if (signal.length <= rule.whole_dur * rule.rate) {
    const { probabilities, start, length } = await model(signal);
    if (length <= window) return { seconds: length / rule.rate, rows: [probabilities] };
    signal = signal.subarray(start, start + length);
  }
  const rows = [];
  for (const at of windowStarts(signal.length, window, Math.round(window * rule.hop_share))) {
    rows.push((await model(signal.subarray(at, at + window))).probabilities);
  }
  return { seconds: signal.length / rule.rate, rows };
}
