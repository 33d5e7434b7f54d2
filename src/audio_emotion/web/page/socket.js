// The service's running timeline, by WebSocket.

import { Problem } from "./problem.js";

const CLOSE_DUR = 10; // s that the service may take for what is left

export class Socket {
  /** @param speaker  whose voice it is, or null
   *  @param take     gets each event of the service */
  constructor(rate, token, speaker, take) {
    const url = new URL(`v1/audio/emotions/realtime?encoding=linear16&sample_rate=${rate}`, document.baseURI);
    url.protocol = url.protocol.replace("http", "ws");
    this.take = take;
    this.socket = new WebSocket(url);
    this.opened = new Promise((resolve, reject) => Object.assign(this, { resolve, reject }));
    this.closed = new Promise((resolve) => {
      this.socket.onclose = () => { resolve(); this.reject(new Problem("The connection has ended.")); };
    });
    this.socket.onopen = () => {
      if (token) this.#say({ type: "Authenticate", token });
      if (speaker) this.#say({ type: "Speaker", speaker });
    };
    this.socket.onmessage = ({ data }) => this.#heard(JSON.parse(data));
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

  #heard(event) {
    if (event.type === "session.created") this.resolve();
    if (event.type === "error") this.reject(new Problem(`${event.title}: ${event.detail}.`));
    this.take(event);
  }
}
