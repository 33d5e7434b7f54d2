// The microphone, at the model's sampling rate.

import { address } from "./assets.js";
import { Problem } from "./problem.js";

const REASONS = {
  NotAllowedError: "The microphone was refused. Allow it for this page in the browser, then press the button again.",
  NotFoundError: "There is no microphone on this device.",
  NotReadableError: "The microphone cannot be opened; another program may be using it.",
};

/** Open the microphone.
 *  @param take  gets each block of samples
 *  @returns a function that closes it, once the last block was taken */
export async function openMicrophone(rate, take) {
  const stream = await granted();
  const context = new AudioContext();
  try {
    await context.audioWorklet.addModule(address("worklet.js"));
    await context.resume();
  } catch (error) {
    release(stream, context);
    throw error;
  }
  const node = new AudioWorkletNode(context, "microphone", { numberOfOutputs: 0, processorOptions: { rate } });
  const ended = new Promise((resolve) => {
    node.port.onmessage = ({ data: { samples, last } }) => {
      take(samples);
      if (last) resolve();
    };
  });
  context.createMediaStreamSource(stream).connect(node);
  return async () => {
    node.port.postMessage("end");
    await ended;
    release(stream, context);
  };
}

async function granted() {
  if (!navigator.mediaDevices) {
    throw new Problem(isSecureContext
      ? "This browser gives pages no microphone."
      : "Browsers give a microphone to pages over HTTPS only, or from this device itself.");
  }
  const plain = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
  try {
    return await navigator.mediaDevices.getUserMedia({ audio: plain });
  } catch (error) {
    throw new Problem(REASONS[error.name] ?? `There is no microphone: ${error.message}.`);
  }
}

function release(stream, context) {
  stream.getTracks().forEach((track) => track.stop());
  context.close();
}
