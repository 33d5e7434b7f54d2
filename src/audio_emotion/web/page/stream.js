// Emotions over the time of samples that arrive: `timeline/` of the package, with its numbers.
// Golden vectors that Python writes hold the two together: tests/browser/stream.test.js.

import { SpeechRegions } from "./regions.js";
import { NO_SPEECH } from "./rule.js";

const UNCERTAIN = "uncertain", DECIMALS = 6; // of confidences

export class TimelineStream {
  /** @param facts   of the page
   *  @param model   maps samples to {probabilities}
   *  @param detect  maps the next chunks of samples to the probability of speech of each */
  constructor(facts, model, detect) {
    const { rule, timeline } = facts;
    Object.assign(this, { model, detect, rate: rule.rate, chunk: rule.chunk });
    this.detector = new SpeechRegions({ ...rule, ...timeline });
    const window = Math.min(timeline.win_dur, rule.win_dur);
    this.windows = new Windows(window * rule.rate, Math.min(timeline.hop_dur, window) * rule.rate,
      timeline.min_window_dur * rule.rate);
    this.axis = new Axis(timeline.step_dur * rule.rate, timeline.edge);
    this.segmenter = new Segmenter(timeline, facts.labels, rule.rate);
    this.slack = Math.round((timeline.gap_dur + timeline.pad_dur) * rule.rate) + rule.chunk;
    this.kept = new Float32Array(0); // from sample `offset` on
    this.offset = 0;
    this.processed = 0; // samples that the detector has seen
  }

  /** Seconds pushed so far. */
  get duration() { return (this.offset + this.kept.length) / this.rate; }

  /** Take more samples.
   *  @returns the segments that are final now, and the regions that went on or ended, in order */
  async push(samples) {
    const kept = new Float32Array(this.kept.length + samples.length);
    kept.set(this.kept);
    kept.set(samples, this.kept.length);
    this.kept = kept;
    const segments = [], regions = [];
    const chunks = Math.floor((this.offset + this.kept.length - this.processed) / this.chunk);
    for (const probability of await this.detect(this.#part(this.processed, this.processed + chunks * this.chunk))) {
      const region = this.detector.push(probability);
      this.processed += this.chunk;
      if (!region) continue;
      regions.push(region);
      segments.push(...await this.#follow(region, this.processed));
    }
    const drop = Math.max(0, this.windows.needed(this.processed) - this.slack - this.offset);
    this.kept = this.kept.subarray(drop);
    this.offset += drop;
    return { segments, regions };
  }

  /** Return the segments that remain, up to the last sample. */
  async close() {
    const end = this.offset + this.kept.length, region = this.detector.close(end);
    const last = region ? await this.#follow(region, end) : [];
    return [...last, ...this.segmenter.close(this.duration)];
  }

  #part(start, end) { return this.kept.slice(start - this.offset, end - this.offset); }

  async #follow(region, available) {
    const spans = this.windows.of(region, available);
    for (const span of spans) this.axis.add(span, (await this.model(this.#part(...span))).probabilities);
    if (!spans.length && region.end === null) return [];
    const rows = this.axis.finish(region.end ?? spans.at(-1)[0]);
    return this.segmenter.push(region, rows.map(({ step, row }) => ({ start: (step * this.axis.step) / this.rate, row })));
  }
}

const BLOCK_DUR = 10; // s of a recording that are followed at a time

/** Return the timeline of a recording, with the fields of the service's.
 *  @param block  samples that are followed at a time; they change nothing */
export async function timelineOf(samples, facts, model, detect, block = BLOCK_DUR * facts.rule.rate) {
  const stream = new TimelineStream(facts, model, detect), segments = [];
  const { step_dur, schema, version, full_scale: full } = facts.timeline;
  for (let at = 0; at < samples.length; at += block) {
    segments.push(...(await stream.push(samples.subarray(at, at + block))).segments);
  }
  segments.push(...await stream.close());
  return {
    schema, version, duration: stream.duration, labels: facts.labels, segments, step_dur,
    probabilities: stream.axis.all(samples.length), warnings: [],
    clipped: samples.reduce((sum, sample) => sum + (Math.abs(sample) >= full), 0) / samples.length,
  };
}

/** Windows in regions of speech: one every hop, and one flush with the region's end; in samples. */
class Windows {
  constructor(window, hop, least) {
    Object.assign(this, { window: Math.round(window), hop: Math.round(hop), least });
    this.next = null;
  }

  /** Return the new windows, now that samples up to `available` have come. */
  of({ start, end }, available) {
    const until = end ?? available, spans = [];
    let begin = this.next ?? start;
    for (; begin + this.window <= until; begin += this.hop) spans.push([begin, begin + this.window]);
    this.next = begin;
    if (end === null) return spans;
    this.next = null;
    const reached = begin > start ? begin - this.hop + this.window : start;
    if (reached < until && until - start >= this.least) spans.push([Math.max(start, until - this.window), until]);
    return spans;
  }

  /** Return the first sample that a later window may need. */
  needed(available) { return Math.min(this.next ?? Infinity, available - this.window); }
}

/** Probabilities on a regular axis: means over windows, weighted towards their centres. */
class Axis {
  constructor(step, edge) {
    Object.assign(this, { step, edge });
    this.open = new Map(); // sums of steps that more windows may reach
    this.rows = []; // of the steps before; null where nobody speaks
  }

  add([start, end], row) {
    for (let step = this.#first(start); step < this.#first(end); step++) {
      const middle = (step + 0.5) * this.step;
      const weight = Math.max(this.edge, 1 - Math.abs(2 * middle - start - end) / (end - start));
      const sums = this.open.get(step) ?? { total: row.map(() => 0), weight: 0 };
      row.forEach((value, n) => { sums.total[n] += weight * value; });
      sums.weight += weight;
      this.open.set(step, sums);
    }
  }

  /** Close the steps before a sample, and return them. */
  finish(end) {
    const steps = [...this.open.keys()].filter((step) => step < this.#first(end)).sort((a, b) => a - b);
    return steps.map((step) => {
      const row = meanOf(this.open.get(step));
      this.open.delete(step);
      while (this.rows.length < step) this.rows.push(null);
      this.rows.push(row);
      return { step, row };
    });
  }

  /** Return the newest step that a window reaches, or null before the first. */
  latest() { return this.open.size ? meanOf(this.open.get(Math.max(...this.open.keys()))) : null; }

  /** Return every step of so many samples. */
  all(samples) {
    const steps = Math.max(this.rows.length, Math.ceil(samples / this.step - 1e-9));
    return Array.from({ length: steps }, (_, step) => this.rows[step] ?? null);
  }

  #first(sample) { return Math.max(0, Math.ceil(sample / this.step - 0.5)); }
}

const meanOf = ({ total, weight }) => total.map((value) => value / weight);

/** Segments from rows: a label holds until another has led for long enough. */
class Segmenter {
  constructor(settings, labels, rate) {
    Object.assign(this, { settings, labels, rate });
    this.until = 0; // s that segments cover so far
    this.run = null; // the segment that still grows
    this.rivals = []; // rows that another label leads
    this.rival = -1; // which
  }

  push(region, rows) {
    const segments = rows.flatMap(({ start, row }) => this.#step(region, start, row));
    if (region.end === null || !this.run) return segments;
    this.#absorb();
    segments.push(this.#finish(region.end / this.rate));
    this.run = null;
    return segments;
  }

  close(duration) { return this.#silence(duration); }

  #step(region, start, row) {
    const { margin, min_dur: least, step_dur: step } = this.settings, best = row.indexOf(Math.max(...row));
    if (!this.run) {
      const begin = Math.max(region.start / this.rate, this.until);
      this.run = { start: begin, label: best, rows: [row] };
      return this.#silence(begin);
    }
    if (row[best] <= row[this.run.label] + margin) {
      this.#absorb();
      this.run.rows.push(row);
      return [];
    }
    if (best !== this.rival) this.#absorb();
    this.rival = best;
    this.rivals.push({ start, row });
    if (this.rivals.length * step < least) return [];
    const change = this.rivals[0].start, segments = [];
    if (change - this.run.start < least) this.run.label = best; // the first label did not last
    else {
      segments.push(this.#finish(change));
      this.run = { start: change, label: best, rows: [] };
    }
    this.#absorb();
    return segments;
  }

  #absorb() {
    this.run.rows.push(...this.rivals.map(({ row }) => row));
    this.rivals = [];
  }

  #silence(end) {
    if (end <= this.until) return [];
    const segment = { start: this.until, end, label: NO_SPEECH, confidence: 1 };
    this.until = end;
    return [segment];
  }

  #finish(end) {
    const { start, label, rows } = this.run;
    const confidence = Number((rows.reduce((sum, row) => sum + row[label], 0) / rows.length).toFixed(DECIMALS));
    this.until = end;
    return { start, end, label: confidence < this.settings.uncertain_below ? UNCERTAIN : this.labels[label], confidence };
  }
}
