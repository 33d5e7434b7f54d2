// The page's resampler against soxr's output, which Python wrote.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { Resampler } from "../../src/audio_emotion/web/page/resampler.js";

const golden = JSON.parse(readFileSync(process.env.GOLDEN, "utf8"));

/** Resample in blocks of 128, as a microphone brings them. */
function resampled(samples, from, to) {
  const resampler = new Resampler(from, to), found = [];
  for (let at = 0; at < samples.length; at += 128) found.push(...resampler.push(samples.subarray(at, at + 128)));
  return [...found, ...resampler.flush()];
}

test("a signal below the lower Nyquist frequency is soxr's", () => {
  assert.ok(golden.resampled.length > 3);
  for (const { from, to, samples, expected } of golden.resampled) {
    const found = resampled(Float32Array.from(samples), from, to);
    assert.ok(Math.abs(found.length - expected.length) <= 1, `${from} to ${to}: ${found.length}`);
    const inner = [200, Math.min(found.length, expected.length) - 200]; // the ends are another filter's
    for (let n = inner[0]; n < inner[1]; n++) {
      assert.ok(Math.abs(found[n] - expected[n]) < 1e-3, `${from} to ${to}, sample ${n}`);
    }
  }
});

test("what would be mirrored is silenced by 60 dB", () => {
  const tone = Float32Array.from({ length: 48000 }, (_, n) => Math.sin((2 * Math.PI * 9000 * n) / 48000));
  const found = resampled(tone, 48000, 16000).slice(200, -200);
  assert.ok(Math.max(...found.map(Math.abs)) < 1e-3);
});

test("blocks of any size give the same", () => {
  const noise = Float32Array.from({ length: 5000 }, (_, n) => Math.sin(n * n));
  const whole = new Resampler(44100, 16000), once = [...whole.push(noise), ...whole.flush()];
  assert.deepEqual(resampled(noise, 44100, 16000), once);
});
