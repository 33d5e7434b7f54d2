// A timeline as the files that `formats/timelines.py` writes; a label holds nothing to escape.

import { NO_SPEECH } from "./rule.js";

const rounded = (value, decimals) => Number(value.toFixed(decimals));

/** Hours, minutes, seconds and milliseconds. */
function clock(seconds, point) {
  const milliseconds = Math.round(1000 * seconds), two = (value) => String(Math.floor(value)).padStart(2, "0");
  const minutes = milliseconds / 60_000, rest = String(milliseconds % 1000).padStart(3, "0");
  return `${two(minutes / 60)}:${two(minutes % 60)}:${two((milliseconds / 1000) % 60)}${point}${rest}`;
}

function cues({ segments }, point) {
  return segments.filter(({ label }) => label !== NO_SPEECH).map(({ start, end, label, confidence }) =>
    `${clock(start, point)} --> ${clock(end, point)}\n${label} ${(100 * confidence).toFixed(0)}%\n`);
}

function durations(segments) {
  const found = {};
  for (const { start, end, label } of segments) found[label] = (found[label] ?? 0) + end - start;
  return Object.fromEntries(Object.entries(found).sort(([, a], [, b]) => b - a).map(([k, v]) => [k, rounded(v, 3)]));
}

const WRITERS = {
  csv: ({ segments }) => ["start,end,label,confidence", ...segments.map(({ start, end, label, confidence }) =>
    `${start.toFixed(3)},${end.toFixed(3)},${label},${confidence.toFixed(4)}`)].join("\n") + "\n",
  srt: (timeline) => cues(timeline, ",").map((cue, n) => `${n + 1}\n${cue}`).join("\n") || "\n",
  vtt: (timeline) => ["WEBVTT\n", ...cues(timeline, ".")].join("\n"),
  json: ({ duration, labels, segments, step_dur, probabilities, warnings, clipped, schema, version }) =>
    `${JSON.stringify({
      schema, version, duration, labels,
      segments: segments.map((s) => ({ ...s, start: rounded(s.start, 3), end: rounded(s.end, 3) })),
      durations: durations(segments), step_dur, broken: null, warnings, clipped: rounded(clipped, 5),
      probabilities: probabilities.map((row) => row && row.map((value) => rounded(value, 4))),
    })}\n`,
};

/** Return the text of a timeline: csv, srt, vtt or json. */
export const write = (timeline, format) => WRITERS[format](timeline);
