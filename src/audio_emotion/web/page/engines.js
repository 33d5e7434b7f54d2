// The two places where the model can run.  Both answer with the same fields.

import { address, content } from "./assets.js";
import { write } from "./formats.js";
import { Problem } from "./problem.js";
import { Socket } from "./socket.js";

const LATE_DUR = 5; // s by which live answers may lag before the page says so

/** Return a speaker's file. */
export const fileOf = ({ warnings, ...speaker }) => `${JSON.stringify(speaker, null, 2)}\n`;

function form(blob, speaker) {
  const made = new FormData();
  made.append("file", blob, "recording");
  made.append("speaker", fileOf(speaker));
  return made;
}

/** The model in a thread of this page. */
export class BrowserEngine {
  constructor(facts) {
    this.facts = facts;
    this.waiting = new Map();
    this.number = 0;
  }

  /** Load everything; nothing is loaded later. */
  async open() {
    const names = ["model.onnx.gz", "speech.onnx.gz", "ort/ort-wasm-simd-threaded.wasm.gz"];
    const [model, speech, wasm] = await Promise.all(names.map(content));
    this.worker = new Worker(address("worker.js"), { type: "module" });
    this.worker.onmessage = ({ data }) => this.#settle(data.id, data);
    this.worker.onerror = (event) => {
      for (const id of [...this.waiting.keys()]) this.#settle(id, { error: event.message || "the worker failed" });
    };
    await this.#ask({ open: { facts: this.facts, model, speech, wasm } }, [model, speech, wasm]);
  }

  /** Prepare for `live`. */
  async ready() {}

  /** Return the answer about a recording; with a speaker `plain` is the one without. */
  async answer(recording, speaker) {
    if (!recording.samples) throw new Problem(recording.problem);
    return this.#ask({ samples: recording.samples, speaker });
  }

  /** Return the speaker whose normal voice a recording holds. */
  enroll(recording) { return this.#ask({ enroll: recording.samples }); }

  /** Return the timeline in a format, as a response. */
  async timeline(recording, format, speaker) {
    if (recording.speaker !== speaker) delete recording.timeline;
    recording.speaker = speaker;
    recording.timeline ??= await this.#ask({ timeline: recording.samples, speaker });
    return new Response(write(recording.timeline, format));
  }

  /** Follow samples as they come.
   *  @param take  gets each event, as the service sends them */
  live(take, speaker) {
    let pushed = 0, done = 0, late = false;
    const ask = async (message) => (await this.#ask(message)).forEach(take);
    return {
      opened: ask({ live: "begin", speaker }),
      push: async (samples) => {
        pushed += samples.length;
        if (!late && pushed - done > LATE_DUR * this.facts.rule.rate) {
          late = true;
          take({ type: "error", title: "This device is slow", detail: "the answers come late" });
        }
        await ask({ live: samples });
        done += samples.length;
      },
      close: () => ask({ live: "end" }),
    };
  }

  #ask(message, moved = []) {
    const id = ++this.number;
    return new Promise((resolve, reject) => {
      this.waiting.set(id, { resolve, reject });
      this.worker.postMessage({ id, ...message }, moved);
    });
  }

  #settle(id, { found, error, known }) {
    const { resolve, reject } = this.waiting.get(id);
    this.waiting.delete(id);
    if (error === undefined) resolve(found);
    else reject(known ? new Problem(error) : new Error(error));
  }
}

/** The model in the service that sent this page. */
export class ServiceEngine {
  /** @param askToken  asks for the token of the service, and returns it */
  constructor(facts, askToken) {
    this.facts = facts;
    this.askToken = askToken;
    this.token = null;
  }

  async open() {}

  /** Prepare for `live`, whose socket could not say that a token is needed. */
  async ready() { await this.#fetch("models"); }

  /** Return the answer about a recording; with a speaker `plain` is the one without. */
  async answer(recording, speaker) {
    const found = await (await this.#post("audio/emotions", recording, speaker)).json();
    return speaker ? { ...found, plain: await this.answer(recording, null) } : found;
  }

  /** Return the speaker whose normal voice a recording holds. */
  async enroll(recording) {
    return (await this.#post("speakers", recording)).json();
  }

  /** Return the timeline in a format, as a response. */
  timeline(recording, format, speaker) {
    return this.#post(`audio/timeline?response_format=${format}`, recording, speaker);
  }

  /** Follow samples as they come.
   *  @param take  gets each event of the service */
  live(take, speaker) {
    return new Socket(this.facts.rule.rate, this.token, speaker, take);
  }

  async explanation(recording, speaker) {
    return (await this.#post("audio/explain", recording, speaker)).json();
  }

  #post(path, recording, speaker = null) {
    const body = speaker ? form(recording.blob, speaker) : recording.blob;
    const headers = speaker ? {} : { "Content-Type": "application/octet-stream" };
    return this.#fetch(path, { method: "POST", headers, body });
  }

  /** Return a response that is no error, after asking for a token if there has to be one. */
  async #fetch(path, options = {}) {
    const headers = { ...options.headers, ...this.token && { Authorization: `Bearer ${this.token}` } };
    let response;
    try {
      response = await fetch(`v1/${path}`, { ...options, headers });
    } catch {
      throw new Problem("The service cannot be reached.");
    }
    if (response.ok) return response;
    if (response.status === 401) {
      this.token = await this.askToken();
      return this.#fetch(path, options);
    }
    const { title, detail } = await response.json();
    throw new Problem(`${title}: ${detail}.`);
  }
}
