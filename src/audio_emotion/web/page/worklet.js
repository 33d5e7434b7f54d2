// In the thread of the sound: the microphone's samples, mixed to one channel and resampled.

import { Resampler } from "./resampler.js";

const BLOCK_DUR = 0.1; // s of samples that are sent together

class Microphone extends AudioWorkletProcessor {
  constructor({ processorOptions }) {
    super();
    this.resampler = new Resampler(sampleRate, processorOptions.rate);
    this.block = [];
    this.least = BLOCK_DUR * processorOptions.rate;
    this.running = true;
    this.port.onmessage = () => { // to end
      this.running = false;
      this.send(this.resampler.flush(), true);
    };
  }

  process([channels]) {
    if (this.running && channels.length) {
      const mono = channels[0].map((_, n) =>
        channels.reduce((sum, channel) => sum + channel[n], 0) / channels.length);
      this.send(this.resampler.push(mono), false);
    }
    return this.running;
  }

  send(samples, last) {
    this.block.push(...samples);
    if (this.block.length < this.least && !last) return;
    this.port.postMessage({ samples: Float32Array.from(this.block), last });
    this.block = [];
  }
}

registerProcessor("microphone", Microphone);
