// What is heard while somebody speaks, as the events that the service sends: `server/routes/session.py`.

import { NO_SPEECH } from "./rule.js";
import { TimelineStream } from "./stream.js";

const rounded = (value) => Number(value.toFixed(3));

export class Session {
  constructor(facts, model, detect) {
    this.labels = facts.labels;
    this.rate = facts.rule.rate;
    this.stream = new TimelineStream(facts, model, detect);
    this.utterance = null; // second at which the current one began
    this.latest = null; // row of the latest result
  }

  /** Take samples, and return what is known now. */
  async push(samples) {
    let { segments, regions } = await this.stream.push(samples);
    const events = [];
    for (const { start, end } of regions) {
      if (this.utterance === null) {
        this.utterance = rounded(start / this.rate);
        events.push({ type: "utterance.start", start: this.utterance });
      }
      if (end === null) continue;
      events.push(...final(segments), this.#end(end / this.rate));
      segments = [];
    }
    return [...events, ...final(segments), ...this.#interim()];
  }

  /** Return what is left. */
  async close() {
    const events = final(await this.stream.close());
    if (this.utterance !== null) events.push(this.#end(this.stream.duration));
    return events;
  }

  #end(seconds) {
    const start = this.utterance;
    this.utterance = null;
    return { type: "utterance.end", start, end: rounded(seconds) };
  }

  #interim() {
    const row = this.stream.axis.latest();
    if (this.utterance === null || !row || row.every((value, n) => value === this.latest?.[n])) return [];
    this.latest = row;
    const probabilities = Object.fromEntries(this.labels.map((label, n) => [label, rounded(row[n])]));
    const label = this.labels.reduce((a, b) => (probabilities[b] > probabilities[a] ? b : a));
    return [{
      type: "result", final: false, start: this.utterance, end: rounded(this.stream.duration),
      label, confidence: probabilities[label], probabilities,
    }];
  }
}

function final(segments) {
  return segments.filter(({ label }) => label !== NO_SPEECH).map(({ start, end, label, confidence }) => ({
    type: "result", final: true, start: rounded(start), end: rounded(end), label, confidence: rounded(confidence),
  }));
}
