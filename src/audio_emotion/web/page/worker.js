// A thread of its own for the model and the speech detector, run by ONNX Runtime in WebAssembly.

import * as ort from "./ort/ort.wasm.bundle.min.mjs";
import { Problem } from "./problem.js";
import { answer, speech } from "./rule.js";
import { Session } from "./session.js";
import { adjusted, enrolled, factorsOf } from "./speaker.js";
import { TimelineStream } from "./stream.js";

const CONTEXT = 64; // samples before a chunk that the detector sees with it
const BLOCK_DUR = 10; // s of a recording that are followed at a time
const FULL_SCALE = 0.999; // amplitude from which a sample counts as clipped
let facts, classifier, detector, session;

async function open(given) {
  facts = given.facts;
  ort.env.wasm.numThreads = 1; // more are not faster here, and hang on iPhones
  ort.env.wasm.wasmBinary = given.wasm;
  const options = { executionProviders: ["wasm"], logSeverityLevel: 3 };
  classifier = await ort.InferenceSession.create(new Uint8Array(given.model), options);
  detector = await ort.InferenceSession.create(new Uint8Array(given.speech), options);
}

const tensor = (samples) => new ort.Tensor("float32", samples, [1, samples.length]);

async function model(samples) {
  const { probabilities, extent, voicing } = await classifier.run({ waveform: tensor(samples) });
  const [start, length] = Array.from(extent.data, Number);
  return { probabilities: Array.from(probabilities.data), start, length, voicing: voicing.data[0] };
}

/** Return the model as it answers about a speaker; null: about anybody. */
function modelFor(speaker) {
  if (!speaker) return model;
  const factors = factorsOf(speaker, facts);
  return async (samples) => {
    const found = await model(samples);
    return { ...found, probabilities: adjusted(found.probabilities, factors) };
  };
}

/** Return a function that maps the next chunk of a stream to the probability of speech. */
function detection() {
  const sr = new ort.Tensor("int64", [BigInt(facts.rule.rate)], []), input = new Float32Array(CONTEXT + facts.rule.chunk);
  let state = new ort.Tensor("float32", new Float32Array(256), [2, 1, 128]);
  return async (chunk) => {
    input.copyWithin(0, facts.rule.chunk); // the end of the last one
    input.fill(0, CONTEXT);
    input.set(chunk, CONTEXT);
    const { output, stateN } = await detector.run({ input: tensor(input), state, sr });
    state = stateN;
    return output.data[0];
  };
}

/** Return the probability of speech of each chunk, the last one filled up with zeros. */
async function detect(samples) {
  const next = detection(), { chunk } = facts.rule, found = [];
  for (let at = 0; at < samples.length; at += chunk) found.push(await next(samples.subarray(at, at + chunk)));
  return found;
}

/** Return the timeline of a recording, with the fields of the service's. */
async function timeline(samples, speaker) {
  const stream = new TimelineStream(facts, modelFor(speaker), detection()), segments = [];
  const block = BLOCK_DUR * facts.rule.rate, { step_dur, schema, version } = facts.timeline;
  for (let at = 0; at < samples.length; at += block) {
    segments.push(...(await stream.push(samples.subarray(at, at + block))).segments);
  }
  segments.push(...await stream.close());
  const clipped = samples.reduce((sum, sample) => sum + (Math.abs(sample) >= FULL_SCALE), 0) / samples.length;
  return {
    schema, version, duration: stream.duration, labels: facts.labels, segments, step_dur,
    probabilities: stream.axis.all(samples.length), warnings: [], clipped,
  };
}

/** Return the events of samples that arrive, between "begin" and "end". */
async function follow(samples, speaker) {
  if (samples === "begin") session = new Session(facts, modelFor(speaker), detection());
  else return samples === "end" ? session.close() : session.push(samples);
  return [];
}

async function work({ open: given, samples, timeline: whole, live, enroll, speaker }) {
  if (given) return open(given);
  if (whole) return timeline(whole, speaker);
  if (live) return follow(live, speaker);
  if (enroll) return enrolled(await speech(enroll, facts, model, detect), facts);
  return answer(samples, facts, model, detect, speaker);
}

let last = Promise.resolve(); // one after the other, so that a stream keeps its order
onmessage = ({ data: { id, ...message } }) => {
  last = last.then(async () => {
    try {
      postMessage({ id, found: await work(message) });
    } catch (error) {
      postMessage({ id, error: String(error?.message ?? error), known: error instanceof Problem });
    }
  });
};
