// Emotions over time: a chart, and segments to hear.

import { colourOf, element, percent } from "./answer.js";
import { clock, drawStacked } from "./chart.js";

const $ = (id) => document.getElementById(id);
const NO_SPEECH = "no speech";

export class TimelineView {
  /** @param play  plays from a second until another */
  constructor(facts, play) {
    this.facts = facts;
    this.play = play;
    this.mark = null;
    $("legend").replaceChildren(...facts.labels.map((label) => this.#swatched("li", label, label)));
    $("chart").addEventListener("click", ({ clientX }) => this.mark && this.play(this.mark.secondsAt(clientX)));
    $("segments").addEventListener("keydown", move);
  }

  hide() {
    $("timeline").hidden = true;
    $("segments").replaceChildren();
    $("exports").hidden = true;
  }

  /** Show a timeline of the service. */
  show({ duration, step_dur: step, probabilities, segments }) {
    const columns = probabilities.map((row, n) => ({ start: n * step, end: Math.min((n + 1) * step, duration), row }));
    this.showColumns(columns, duration);
    this.showSegments(segments);
    $("exports").hidden = false;
  }

  showColumns(columns, duration) {
    $("timeline").hidden = false;
    this.mark = drawStacked($("chart"), columns, duration, this.facts);
  }

  showSegments(segments) {
    const spoken = segments.filter(({ label }) => label !== NO_SPEECH);
    $("segments").replaceChildren(...spoken.map((segment) => this.#segment(segment)));
  }

  /** Show which second is heard; null for none. */
  follow(seconds) {
    this.mark?.(seconds);
    for (const button of $("segments").querySelectorAll("button")) {
      const { start, end } = button.dataset;
      button.setAttribute("aria-current", seconds !== null && seconds >= Number(start) && seconds < Number(end));
    }
  }

  #segment({ start, end, label, confidence }) {
    const item = element("li"), button = this.#swatched("button", label, "");
    button.replaceChildren(element("time", `${clock(start)} – ${clock(end)}`), ` ${label} ${percent(confidence)}`);
    Object.assign(button.dataset, { start, end });
    button.onclick = () => this.play(start, end);
    item.append(button);
    return item;
  }

  #swatched(name, label, text) {
    const made = element(name);
    made.style.setProperty("--label", colourOf(label, this.facts));
    made.append(element("span", "", { class: "swatch" }), text);
    return made;
  }
}

function move(event) {
  const step = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 }[event.key];
  const buttons = [...$("segments").querySelectorAll("button")];
  const neighbour = step && buttons[buttons.indexOf(event.target) + step];
  if (!neighbour) return;
  neighbour.focus();
  event.preventDefault();
}
