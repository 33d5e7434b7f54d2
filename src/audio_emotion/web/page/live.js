// The running timeline while somebody speaks, from events as the service sends them.

export class Live {
  /** @param on  has `result(result, columns)`, `segment(segments, columns)` and `problem(text)`, as they come */
  constructor(labels, on) {
    this.labels = labels;
    this.columns = [];
    this.segments = [];
    this.on = on;
  }

  take(event) {
    if (event.type === "error") this.on.problem(`${event.title}: ${event.detail}.`);
    else if (event.type === "utterance.start") this.columns.push({ start: event.start, end: event.start, row: null });
    else if (event.type === "utterance.end") this.columns.push({ start: event.end, end: event.end, row: null });
    else if (event.type === "result" && event.final) {
      this.segments.push(event);
      this.#fill(event);
      this.on.segment(this.segments, this.columns);
    } else if (event.type === "result") {
      const start = this.columns.at(-1)?.end ?? event.start;
      this.columns.push({ start, end: event.end, row: this.labels.map((label) => event.probabilities[label]) });
      this.on.result(event, this.columns);
    }
  }

  /** A segment too short for results while it was spoken has its confidence only. */
  #fill({ start, end, label, confidence }) {
    if (this.columns.some((column) => column.row && column.end > start && column.start < end)) return;
    this.columns.push({ start, end, row: this.labels.map((name) => (name === label ? confidence : 0)) });
    this.columns.push({ start: end, end, row: null });
    this.columns.sort((a, b) => a.start - b.start);
  }
}
