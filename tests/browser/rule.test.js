// The rule of the page against golden vectors that Python wrote: GOLDEN names their file.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { enrolled } from "../../src/audio_emotion/web/page/speaker.js";
import { answer, judge, levelled, speech, speechRegions, windowStarts } from "../../src/audio_emotion/web/page/rule.js";

const golden = JSON.parse(readFileSync(process.env.GOLDEN, "utf8"));
const { rule } = golden.facts;

test("windows", () => {
  assert.ok(golden.windows.length > 5);
  for (const { samples, window, hop, starts } of golden.windows) {
    assert.deepEqual(windowStarts(samples, window, hop), starts);
  }
});

test("regions of speech", () => {
  assert.ok(golden.regions.some(({ regions }) => regions.length > 2));
  for (const { probabilities, length, regions } of golden.regions) {
    assert.deepEqual(speechRegions(probabilities, length, rule), regions);
  }
});

test("too little speech, in the same words", () => {
  assert.equal(new Set(golden.judged.map(({ notice }) => notice?.code)).size, 4);
  for (const { duration, speech, notice } of golden.judged) {
    assert.deepEqual(judge(duration, speech, rule), notice);
  }
});

test("levels", () => {
  for (const { samples, level } of golden.levels) {
    assert.deepEqual(Array.from(levelled(Float32Array.from(samples))), level);
  }
  assert.equal(levelled(new Float32Array(8)), null);
});

/** Return the samples of a case, and a model and a detector that are functions of samples. */
function scripted({ seconds, loud, voicing, label = 0 }) {
  const samples = new Float32Array(seconds * rule.rate);
  for (const [start, end] of loud) samples.fill(1, start * rule.rate, end * rule.rate);
  const model = (part) => {
    const first = part.findIndex(Boolean);
    const length = first < 0 ? 0 : part.findLastIndex(Boolean) + 1 - first;
    const share = part.reduce((sum, sample) => sum + sample, 0) / part.length;
    const rest = (1 - share) / (golden.facts.labels.length - 1);
    return {
      probabilities: golden.facts.labels.map((_, n) => (n === label ? share : rest)),
      start: Math.max(first, 0), length, voicing,
    };
  };
  const detect = (signal) => Array.from(
    { length: Math.ceil(signal.length / rule.chunk) }, (_, n) => signal[n * rule.chunk]);
  return [samples, golden.facts, model, detect];
}

function close(found, expected, what) {
  for (const [label, share] of Object.entries(expected ?? {})) {
    assert.ok(Math.abs(found[label] - share) < 1e-5, `${label} of ${what}: ${found[label]}, not ${share}`);
  }
}

test("answers", async () => {
  for (const { expected, adjusted, ...made } of golden.answers) {
    const found = await answer(...scripted(made));
    assert.equal(found.label, expected.label);
    assert.equal(found.speech_dur.toFixed(6), expected.speech_dur.toFixed(6));
    assert.deepEqual(found.warnings, expected.warnings);
    close(found.probabilities, expected.probabilities, `${made.seconds} s`);
    const known = await answer(...scripted(made), golden.spoken);
    assert.equal(known.label, adjusted.label);
    close(known.probabilities, adjusted.probabilities, `${made.seconds} s of a speaker`);
    close(known.plain?.probabilities, adjusted.probabilities && expected.probabilities, "nobody");
  }
  const moved = ({ expected, adjusted }) => adjusted.confidence && Math.abs(expected.confidence - adjusted.confidence);
  assert.ok(golden.answers.some((made) => moved(made) > 0.01));
});

test("enrolments", async () => {
  assert.ok(golden.enrolments.some(({ speaker }) => speaker?.warnings.length));
  for (const { speaker, problem, ...made } of golden.enrolments) {
    const [, facts] = scripted(made), regions = await speech(...scripted(made));
    if (problem) {
      assert.throws(() => enrolled(regions, facts), ({ message }) => message.startsWith(problem));
      continue;
    }
    const { log_probabilities: logs, warnings, speech_dur: seconds, ...rest } = enrolled(regions, facts);
    close(logs, speaker.log_probabilities, `${made.seconds} s`);
    assert.ok(Math.abs(seconds - speaker.speech_dur) < 1e-5);
    assert.deepEqual(warnings, speaker.warnings);
    assert.deepEqual(rest, { format: speaker.format, model: speaker.model, clips: speaker.clips });
  }
});
