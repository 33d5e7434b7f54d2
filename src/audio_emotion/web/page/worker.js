// A thread of its own for the model and the speech detector, run by ONNX Runtime in WebAssembly.

import * as ort from "./ort/ort.wasm.bundle.min.mjs";
import { Problem } from "./problem.js";
import { answer, speech } from "./rule.js";
import { Session } from "./session.js";
import { adjusted, enrolled, factorsOf } from "./speaker.js";
import { timelineOf } from "./stream.js";

const CONTEXT = 64; // samples before a chunk that the detector sees with it
const AT_ONCE = 64; // chunks given to the detector at a time
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

/** Return a function that maps the next samples of a stream to the probability of speech of each chunk, the last one
 *  filled up with zeros. */
function detection() {
  const { chunk } = facts.rule, width = CONTEXT + chunk;
  let state = new ort.Tensor("float32", new Float32Array(256), [2, 1, 128]), before = new Float32Array(CONTEXT);
  return async (samples) => {
    const count = Math.ceil(samples.length / chunk), all = new Float32Array(CONTEXT + count * chunk), found = [];
    all.set(before);
    all.set(samples, CONTEXT);
    for (let first = 0; first < count; first += AT_ONCE) {
      const few = Math.min(AT_ONCE, count - first), input = new Float32Array(few * width);
      for (let n = 0; n < few; n++) input.set(all.subarray((first + n) * chunk, (first + n) * chunk + width), n * width);
      const chunks = new ort.Tensor("float32", input, [few, width]);
      const { probabilities, state_after } = await detector.run({ chunks, state });
      found.push(...probabilities.data);
      state = state_after;
    }
    before = all.slice(-CONTEXT);
    return found;
  };
}

const detect = (samples) => detection()(samples);

/** Return the events of samples that arrive, between "begin" and "end". */
async function follow(samples, speaker) {
  if (samples === "begin") session = new Session(facts, modelFor(speaker), detection());
  else return samples === "end" ? session.close() : session.push(samples);
  return [];
}

async function work({ open: given, samples, timeline: whole, live, enroll, speaker }) {
  if (given) return open(given);
  if (whole) return timelineOf(whole, facts, modelFor(speaker), detection());
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
