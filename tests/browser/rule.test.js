// The rule of the page against golden vectors that Python wrote: GOLDEN names their file.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { answer, judge, levelled, speechRegions, windowStarts } from "../../src/audio_emotion/web/page/rule.js";

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

test("answers, from a model and a detector that are functions of their samples", async () => {
  for (const { seconds, loud, voicing, expected } of golden.answers) {
    const samples = new Float32Array(seconds * rule.rate);
    for (const [start, end] of loud) samples.fill(1, start * rule.rate, end * rule.rate);
    const model = (part) => {
      const first = part.findIndex(Boolean);
      const length = first < 0 ? 0 : part.findLastIndex(Boolean) + 1 - first;
      const share = part.reduce((sum, sample) => sum + sample, 0) / part.length;
      const rest = (1 - share) / (golden.facts.labels.length - 1);
      return {
        probabilities: golden.facts.labels.map((_, n) => (n ? rest : share)),
        start: Math.max(first, 0), length, voicing,
      };
    };
    const detect = (signal) => Array.from(
      { length: Math.ceil(signal.length / rule.chunk) }, (_, n) => signal[n * rule.chunk]);
    const found = await answer(samples, golden.facts, model, detect);
    assert.equal(found.label, expected.label);
    assert.equal(found.speech_dur.toFixed(6), expected.speech_dur.toFixed(6));
    assert.deepEqual(found.warnings, expected.warnings);
    for (const [label, share] of Object.entries(expected.probabilities ?? {})) {
      assert.ok(Math.abs(found.probabilities[label] - share) < 1e-5, `${label} of ${seconds} s`);
    }
  }
});
