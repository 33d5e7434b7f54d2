// The running timeline of the service while somebody speaks.

import { Problem } from "./engines.js";

const CLOSE_DUR = 10; // s that the service may take for what is left

export class Live {
  /** @param on  has `result(result, columns)`, `segment(segments, columns)` and `problem(text)`, as they come */
  constructor(rate, labels, token, on) {
    this.labels = labels;
    this.columns = [];
    this.segments = [];
    this.on = on;
    const url = new URL(`v1/audio/emotions/realtime?encoding=linear16&sample_rate=${rate}`, document.baseURI);
    url.protocol = url.protocol.replace("http", "ws");
    this.socket = new WebSocket(url);
    this.opened = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
    this.closed = new Promise((resolve) => { this.socket.onclose = () => { resolve(); this.#fail("The connection has ended."); }; });
    this.socket.onopen = () => token && this.#say({ type: "Authenticate", token });
    this.socket.onmessage = ({ data }) => this.#take(JSON.parse(data));
  }

  /** Send samples between -1 and 1. */
  push(samples) {
    if (this.socket.readyState !== WebSocket.OPEN) return;
    this.socket.send(Int16Array.from(samples, (s) => Math.max(-32768, Math.min(32767, Math.round(32767 * s)))));
  }

  /** Wait until what is left was answered. */
  async close() {
    if (this.socket.readyState === WebSocket.OPEN) this.#say({ type: "CloseStream" });
    await Promise.race([this.closed, new Promise((resolve) => setTimeout(resolve, 1000 * CLOSE_DUR))]);
    this.socket.close();
  }

  #say(message) { this.socket.send(JSON.stringify(message)); }

  #fail(text) { this.reject(new Problem(text)); }

  /** A segment too short for results while it was spoken has its confidence only. */
  #fill({ start, end, label, confidence }) {
    if (this.columns.some((column) => column.row && column.end > start && column.start < end)) return;
    this.columns.push({ start, end, row: this.labels.map((name) => (name === label ? confidence : 0)) });
    this.columns.push({ start: end, end, row: null });
    this.columns.sort((a, b) => a.start - b.start);
  }

  #take(event) {
    if (event.type === "session.created") this.resolve();
    else if (event.type === "error") {
      const text = `${event.title}: ${event.detail}.`;
      this.on.problem(text);
      this.#fail(text);
    }
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
}
