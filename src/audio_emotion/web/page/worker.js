// A thread of its own for the model and the speech detector, run by ONNX Runtime in WebAssembly.

import * as ort from "./ort/ort.wasm.bundle.min.mjs";
import { answer } from "./rule.js";

const CONTEXT = 64; // samples before a chunk that the detector sees with it
const AT_ONCE = 64; // chunks given to the detector at a time
let facts, classifier, detector;

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

/** Return the probability of speech of each chunk, the last one filled up with zeros. */
async function detect(samples) {
  const { chunk } = facts.rule, width = CONTEXT + chunk, found = [];
  const count = Math.ceil(samples.length / chunk);
  let state = new ort.Tensor("float32", new Float32Array(256), [2, 1, 128]);
  for (let first = 0; first < count; first += AT_ONCE) {
    const few = Math.min(AT_ONCE, count - first), input = new Float32Array(few * width);
    for (let n = 0; n < few; n++) {
      const at = (first + n) * chunk, from = Math.max(0, at - CONTEXT);
      input.set(samples.subarray(from, at + chunk), n * width + CONTEXT - (at - from));
    }
    const chunks = new ort.Tensor("float32", input, [few, width]);
    const { probabilities, state_after } = await detector.run({ chunks, state });
    found.push(...probabilities.data);
    state = state_after;
  }
  return found;
}

onmessage = async ({ data: { id, open: given, samples } }) => {
  try {
    postMessage({ id, found: given ? await open(given) : await answer(samples, facts, model, detect) });
  } catch (error) {
    postMessage({ id, error: String(error?.message ?? error) });
  }
};
