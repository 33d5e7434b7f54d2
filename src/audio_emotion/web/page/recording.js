// A recording of the user: a file, or what the microphone gave.

import { Problem } from "./problem.js";

const OPPOSITE = 0.01; // energy of a mean, of that of unrelated channels, below which they cancel

/** Return a file with its samples at `rate`, or with the problem why there are none. */
export async function fromFile(blob, rate, longest) {
  try {
    const duration = await statedDuration(blob);
    if (duration > longest) {
      throw new Problem(`The recording has ${Math.round(duration / 60)} minutes; in the browser ${longest / 60} are the most.`);
    }
    const decoder = new OfflineAudioContext(1, 1, rate);
    const buffer = await decoder.decodeAudioData(await blob.arrayBuffer());
    return { blob, ...mixed(buffer) };
  } catch (error) {
    const known = error instanceof Problem;
    return { blob, problem: known ? error.message : "This browser finds no sound in the file that it can read." };
  }
}

/** Return what the microphone gave, with a WAV file of exactly these samples. */
export function fromMicrophone(blocks, rate) {
  const samples = new Float32Array(blocks.reduce((sum, block) => sum + block.length, 0));
  let at = 0;
  for (const block of blocks) { samples.set(block, at); at += block.length; }
  return { samples, blob: wav(samples, rate) };
}

/** Return the seconds that a file states, before it is decoded as a whole. */
async function statedDuration(blob) {
  const media = new Audio(), url = URL.createObjectURL(blob);
  try {
    return await new Promise((resolve) => {
      media.onloadedmetadata = () => resolve(media.duration);
      media.onerror = () => resolve(0); // decoding tells more
      media.preload = "metadata";
      media.src = url;
    });
  } finally {
    media.removeAttribute("src");
    URL.revokeObjectURL(url);
  }
}

/** Mix channels to their mean, or to the loudest if they cancel each other. */
function mixed(buffer) {
  const channels = Array.from({ length: buffer.numberOfChannels }, (_, n) => buffer.getChannelData(n));
  if (channels.length === 1) return { samples: channels[0].slice() };
  const samples = channels[0].map((_, n) => channels.reduce((sum, c) => sum + c[n], 0) / channels.length);
  const energies = channels.map(energy);
  const unrelated = energies.reduce((a, b) => a + b, 0) / channels.length ** 2;
  if (energy(samples) >= unrelated * OPPOSITE) return { samples };
  const loudest = energies.indexOf(Math.max(...energies));
  const message = `the channels cancel each other; channel ${loudest + 1} is used alone`;
  return { samples: channels[loudest].slice(), notice: { code: "channels_cancel", message } };
}

const energy = (samples) => samples.reduce((sum, sample) => sum + sample * sample, 0);

/** Return a WAV file of 32-bit floats. */
function wav(samples, rate) {
  const head = new DataView(new ArrayBuffer(44));
  const text = (at, letters) => [...letters].forEach((c, n) => head.setUint8(at + n, c.charCodeAt(0)));
  const size = samples.byteLength;
  text(0, "RIFF"); head.setUint32(4, 36 + size, true); text(8, "WAVEfmt ");
  head.setUint32(16, 16, true); head.setUint16(20, 3, true); head.setUint16(22, 1, true); // floats, mono
  head.setUint32(24, rate, true); head.setUint32(28, 4 * rate, true);
  head.setUint16(32, 4, true); head.setUint16(34, 32, true);
  text(36, "data"); head.setUint32(40, size, true);
  return new Blob([head, samples], { type: "audio/wav" });
}
