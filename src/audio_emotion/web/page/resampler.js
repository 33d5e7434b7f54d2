// Resamples a stream by band-limited interpolation: a sinc under a Kaiser window, one row of taps
// for each phase that occurs.

const CROSSINGS = 32; // of the sinc with zero, on each side
const BETA = 9; // of the window: side lobes 90 dB down
const PASS = 0.94; // of the lower Nyquist frequency, where the response is half

const gcd = (a, b) => (b ? gcd(b, a % b) : a);

/** The modified Bessel function of order 0, by its power series. */
function bessel(x) {
  let sum = 1, term = 1;
  for (let k = 1; term > 1e-12 * sum; k++) sum += (term *= (x / (2 * k)) ** 2);
  return sum;
}

export class Resampler {
  /** @param from, to  sampling rates in Hz, whole numbers */
  constructor(from, to) {
    const common = gcd(from, to);
    this.step = from / common; // in 1/phases of an input sample
    this.phases = to / common;
    this.cutoff = PASS * Math.min(1, to / from); // of the input's Nyquist frequency
    this.half = Math.ceil(CROSSINGS / this.cutoff);
    this.rows = new Map();
    this.kept = new Float32Array(this.half); // silence before the first sample
    this.at = 0; // of the next output sample, in 1/phases after the first that `kept` centres
    this.taken = 0;
    this.given = 0;
    this.same = from === to;
  }

  /** Take samples of any number and return those that are ready. */
  push(samples) {
    if (this.same) return samples.slice();
    this.taken += samples.length;
    const input = new Float32Array(this.kept.length + samples.length);
    input.set(this.kept);
    input.set(samples, this.kept.length);
    const found = [];
    let whole = Math.floor(this.at / this.phases);
    while (whole + 2 * this.half < input.length) {
      found.push(this.#interpolated(input, whole, this.at % this.phases));
      this.at += this.step;
      whole = Math.floor(this.at / this.phases);
    }
    const dropped = Math.min(whole, input.length);
    this.kept = input.slice(dropped);
    this.at -= dropped * this.phases;
    this.given += found.length;
    return Float32Array.from(found);
  }

  /** Return the samples that remain at the end. */
  flush() {
    if (this.same) return new Float32Array(0);
    const left = Math.round((this.taken * this.phases) / this.step) - this.given;
    return this.push(new Float32Array(2 * this.half + 1)).subarray(0, Math.max(0, left));
  }

  #interpolated(input, whole, phase) {
    const taps = this.#taps(phase);
    let sum = 0;
    for (let n = 0; n < taps.length; n++) sum += taps[n] * input[whole + n];
    return sum;
  }

  #taps(phase) {
    if (!this.rows.has(phase)) {
      const offset = phase / this.phases, scale = bessel(BETA);
      const taps = Float64Array.from({ length: 2 * this.half + 1 }, (_, n) => {
        const x = n - this.half - offset, inside = 1 - (x / (this.half + 1)) ** 2;
        const angle = Math.PI * x * this.cutoff;
        return (this.cutoff * (angle ? Math.sin(angle) / angle : 1) * bessel(BETA * Math.sqrt(inside))) / scale;
      });
      const sum = taps.reduce((a, b) => a + b, 0); // so that a constant stays what it is
      this.rows.set(phase, taps.map((tap) => tap / sum));
    }
    return this.rows.get(phase);
  }
}
