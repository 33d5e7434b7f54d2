// Where somebody speaks, from the detector's probabilities: `SpeechDetector` of `inference/vad.py`.

export class SpeechRegions {
  /** @param settings  has threshold, hysteresis, gap_dur, pad_dur, and rate and chunk of the detector */
  constructor({ threshold, hysteresis, gap_dur, pad_dur, rate, chunk }) {
    Object.assign(this, { threshold, hysteresis, chunk });
    this.gap = Math.round(gap_dur * rate);
    this.pad = Math.round(Math.min(pad_dur, gap_dur / 2) * rate);
    this.start = null;
    this.spoken = 0; // the sample up to which somebody spoke
    this.end = 0; // the sample up to which probabilities came
  }

  /** Take the next chunk's probability.
   *  @returns the region that goes on, with an end of null, or has ended; null in silence */
  push(probability) {
    const position = this.end;
    this.end += this.chunk;
    if (probability >= this.threshold - (this.start === null ? 0 : this.hysteresis)) {
      this.start ??= Math.max(position - this.pad, this.spoken ? this.spoken + this.pad : 0, 0);
      this.spoken = this.end;
    }
    if (this.start === null) return null;
    if (this.end - this.spoken >= this.gap) return this.#ended(this.spoken + this.pad);
    return { start: this.start, end: null };
  }

  /** Return the region that the end of the recording, after `length` samples, cuts off, or null. */
  close(length) {
    return this.start === null ? null : this.#ended(Math.min(length, this.spoken + this.pad));
  }

  #ended(end) {
    const region = { start: this.start, end };
    this.start = null;
    return region;
  }
}
