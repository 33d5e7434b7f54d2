// In the thread of the sound: the microphone's samples, mixed to one channel and resampled.

import { Resampler } from "./resampler.js";

class Microphone extends AudioWorkletProcessor {
  constructor({ processorOptions }) {
    super();
    this.resampler = new Resampler(sampleRate, processorOptions.rate);
    this.running = true;
    this.port.onmessage = () => { // to end
      this.running = false;
      this.port.postMessage({ samples: this.resampler.flush(), last: true });
    };
  }

  process([channels]) {
    if (this.running && channels.length) {
      const mono = channels[0].map((_, n) =>
        channels.reduce((sum, channel) => sum + channel[n], 0) / channels.length);
      const samples = this.resampler.push(mono);
      if (samples.length) this.port.postMessage({ samples, last: false }, [samples.buffer]);
    }
    return this.running;
  }
}

registerProcessor("microphone", Microphone);
