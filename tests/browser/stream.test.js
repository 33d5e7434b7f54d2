// Timelines, live events and files of the page against golden vectors that Python wrote.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { write } from "../../src/audio_emotion/web/page/formats.js";
import { Session } from "../../src/audio_emotion/web/page/session.js";
import { timelineOf } from "../../src/audio_emotion/web/page/stream.js";

const golden = JSON.parse(readFileSync(process.env.GOLDEN, "utf8"));
const { facts } = golden;

const detect = (samples) => samples.filter((_, n) => n % facts.rule.chunk === 0);

/** A model whose label goes by the mean of the samples. */
function model(samples) {
  const mean = samples.reduce((sum, sample) => sum + sample, 0) / samples.length;
  const row = facts.labels.map((_, n) => 1 / (0.1 + (8 * mean - n) ** 2));
  const sum = row.reduce((a, b) => a + b, 0);
  return { probabilities: row.map((value) => Math.fround(value / sum)) };
}

function signal({ pieces, length }) {
  const samples = new Float32Array(pieces.reduce((sum, [, size]) => sum + size, 0));
  let at = 0;
  for (const [level, size] of pieces) samples.fill(level, at, (at += size));
  return samples.subarray(0, length);
}

/** Compare values, numbers within a little. */
function close(found, expected, little) {
  if (typeof expected === "number") assert.ok(Math.abs(found - expected) <= little, `${found}, not ${expected}`);
  else if (expected === null || typeof expected !== "object") assert.equal(found, expected);
  else {
    assert.deepEqual(Object.keys(found), Object.keys(expected));
    for (const key of Object.keys(expected)) close(found[key], expected[key], little);
  }
}

test("timelines, as files, however the samples are cut", async () => {
  assert.ok(golden.timelines.some(({ texts }) => texts.csv.split("\n").length > 12));
  for (const made of golden.timelines) {
    for (const block of [160_000, 1234]) {
      const timeline = await timelineOf(signal(made), facts, model, detect, block);
      for (const format of ["csv", "srt", "vtt"]) assert.equal(write(timeline, format), made.texts[format]);
      close(JSON.parse(write(timeline, "json")), JSON.parse(made.texts.json), 1.01e-4);
    }
  }
});

test("live events", async () => {
  const kinds = new Set(golden.timelines.flatMap(({ events }) => events.map(({ type, final }) => `${type} ${final}`)));
  assert.equal(kinds.size, 4);
  for (const made of golden.timelines) {
    const samples = signal(made), session = new Session(facts, model, detect), events = [];
    for (let at = 0; at < samples.length; at += made.block) {
      events.push(...await session.push(samples.subarray(at, at + made.block)));
    }
    events.push(...await session.close());
    close(events, made.events, 1.5e-3);
  }
});
