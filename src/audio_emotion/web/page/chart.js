// Drawings over time with axes: stacked probabilities, and what spoke for an answer.

import { colourOf } from "./answer.js";

const WIDTH = 640, LEFT = 44, RIGHT = 8, TOP = 8, BOTTOM = 24;
const COLUMNS = 800; // of a drawing at most
const STEPS = [0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600]; // s between ticks

function svg(name, attributes, text) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  return made;
}

/** Return seconds as a clock shows them: 7.5 s, 1:05. */
export function clock(seconds, decimals = 1) {
  if (seconds < 60) return `${seconds.toFixed(decimals)} s`;
  return `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;
}

class Frame {
  constructor(drawing, height, from, to) {
    Object.assign(this, { drawing, height, from, to: Math.max(to, from + 0.1) });
    drawing.setAttribute("viewBox", `0 0 ${WIDTH} ${height}`);
    drawing.replaceChildren();
  }

  x(seconds) {
    return LEFT + ((WIDTH - LEFT - RIGHT) * (seconds - this.from)) / (this.to - this.from);
  }

  y(share) { return TOP + (this.height - TOP - BOTTOM) * (1 - share); }

  add(name, attributes, text) {
    const made = svg(name, attributes, text);
    this.drawing.append(made);
    return made;
  }

  timeAxis() {
    const span = this.to - this.from;
    const step = STEPS.find((candidate) => span / candidate <= 8) ?? 1200;
    for (let n = Math.ceil(this.from / step - 1e-9); n * step <= this.to + 1e-9; n++) {
      const x = this.x(n * step);
      this.add("line", { class: "axis", x1: x, x2: x, y1: this.y(0), y2: this.y(0) + 4 });
      this.add("text", { x, y: this.height - 6, "text-anchor": "middle" }, clock(n * step, step < 1 ? 1 : 0));
    }
  }

  level(share, text) {
    this.add("line", { class: "axis", x1: LEFT, x2: WIDTH - RIGHT, y1: this.y(share), y2: this.y(share) });
    this.add("text", { x: LEFT - 6, y: this.y(share) + 4, "text-anchor": "end" }, text);
  }
}

/** Draw probabilities over time, one above the other.
 *  @param columns  objects of start, end (s) and row, which is null where nobody speaks
 *  @returns a function that marks a second */
export function drawStacked(drawing, columns, duration, facts) {
  const frame = new Frame(drawing, 220, 0, duration);
  for (const run of runs(thinned(columns))) {
    const below = run.map(() => 0);
    facts.labels.forEach((label, n) => {
      const low = edge(frame, run, below);
      run.forEach(({ row }, at) => { below[at] += row[n]; });
      const points = [...edge(frame, run, below), ...low.reverse()].map((p) => p.map((v) => v.toFixed(1)).join());
      frame.add("polygon", { points: points.join(" "), fill: colourOf(label, facts) }).append(svg("title", {}, label));
    });
  }
  for (const share of [0, 0.5, 1]) frame.level(share, `${100 * share}%`);
  frame.timeAxis();
  const now = frame.add("line", { class: "now", y1: frame.y(1), y2: frame.y(0) });
  const mark = (seconds) => {
    now.toggleAttribute("hidden", seconds === null);
    ["x1", "x2"].forEach((key) => now.setAttribute(key, frame.x(seconds ?? 0)));
  };
  mark(null);
  mark.secondsAt = (clientX) => {
    const box = drawing.getBoundingClientRect();
    const x = ((clientX - box.left) / box.width) * WIDTH;
    return Math.min(duration, Math.max(0, (duration * (x - LEFT)) / (WIDTH - LEFT - RIGHT)));
  };
  return mark;
}

/** Draw the evidence for an answer over time and frequency. */
export function drawEvidence(drawing, found, facts) {
  const { times, hertz } = found, rows = found.evidence[found.label];
  const frame = new Frame(drawing, 200, times[0], times.at(-1));
  const strongest = Math.max(1e-9, ...rows.flat().map(Math.abs)), bands = rows.length;
  rows.forEach((row, band) => row.forEach((value, n) => {
    const x = frame.x(times[n]), y = frame.y((band + 1) / bands);
    frame.add("rect", {
      x, y, width: frame.x(times[n + 1]) - x - 0.5, height: frame.y(band / bands) - y - 0.5,
      fill: value > 0 ? colourOf(found.label, facts) : "#888", opacity: (Math.abs(value) / strongest).toFixed(3),
    });
  }));
  for (let band = 0; band <= bands; band += 2) {
    frame.add("text", { x: LEFT - 6, y: frame.y(band / bands) + 4, "text-anchor": "end" }, `${Math.round(hertz[band])} Hz`);
  }
  frame.timeAxis();
}

/** Return the upper edge of a run of columns as points. */
function edge(frame, run, heights) {
  return run.flatMap(({ start, end }, at) => [start, end].map((t) => [frame.x(t), frame.y(heights[at])]));
}

function runs(columns) {
  const found = [];
  let open = null;
  for (const column of columns) {
    if (!column.row) open = null;
    else if (open) open.push(column);
    else found.push((open = [column]));
  }
  return found;
}

/** Join columns by their mean, so that a drawing has few enough. */
function thinned(columns) {
  const size = Math.ceil(columns.length / COLUMNS);
  if (size <= 1) return columns;
  return Array.from({ length: Math.ceil(columns.length / size) }, (_, n) => {
    const some = columns.slice(n * size, (n + 1) * size), rows = some.map(({ row }) => row).filter(Boolean);
    const row = rows.length ? rows[0].map((_, k) => rows.reduce((sum, r) => sum + r[k], 0) / rows.length) : null;
    return { start: some[0].start, end: some.at(-1).end, row };
  });
}
