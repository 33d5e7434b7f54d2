// What the page does when somebody presses a button or drops a file.

import { element, showAnswer, showLive } from "./answer.js";
import { json } from "./assets.js";
import { drawEvidence } from "./chart.js";
import { BrowserEngine, fileOf, ServiceEngine } from "./engines.js";
import { Live } from "./live.js";
import { openMicrophone } from "./microphone.js";
import { Problem } from "./problem.js";
import { fromFile, fromMicrophone } from "./recording.js";
import { TimelineView } from "./timeline.js";
import { drawWaveform, lastOf, onceAFrame, Player } from "./waveform.js";

const $ = (id) => document.getElementById(id);
const facts = await json("page.json");
const { rate, win_dur: window_ } = facts.rule;
const engines = {};
const player = new Player(follow);
const view = new TimelineView(facts, (from, until) => player.play(from, until));
const LEVEL_DUR = 3, LIVE_DUR = 10; // s of the microphone that are shown, and at least of a chart
const ENROLL_DUR = 10; // s of a normal voice
const INVITATION = $("voice-words").textContent; // until there is one
const RECORDERS = { record: "Record", live: "Live", enroll: "Record your normal voice" };
let engine = null, recording = null, speaker = null, stop = null, colour = "#888";

// --- where the model runs -------------------------------------------------------------------------

async function choose(name) {
  $("place").textContent = "Loading the model …";
  enable(false);
  try {
    await (engines[name] ??= await opened(name));
    engine = engines[name];
  } catch (error) {
    if (name === "server" || !facts.engines.includes("server")) throw error;
    show(new Problem(`The model does not run in this browser (${error.message}), so the service answers.`));
    return choose("server");
  }
  document.body.dataset.engine = name;
  document.querySelector(`[name=engine][value=${name}]`).checked = true;
  $("place").textContent = place(name);
  enable(true);
}

async function opened(name) {
  const made = name === "browser" ? new BrowserEngine(facts) : new ServiceEngine(facts, askToken);
  await made.open();
  return made;
}

function place(name) {
  if (name === "browser") return "Your voice stays on this device: the model runs in this browser.";
  const here = ["localhost", "127.0.0.1", "[::1]"].includes(location.hostname);
  const where = here ? "the service on this computer" : `the service at ${location.host}`;
  const why = facts.engines.includes("browser") ? "" : " The runtime for this browser is not installed here; make page fetches it.";
  return `Your voice goes to ${where}, which deletes it after the answer.${why}`;
}

function askToken() {
  const dialog = $("token-dialog");
  dialog.showModal();
  return new Promise((resolve, reject) => {
    dialog.onclose = () => {
      if (dialog.returnValue === "ok") resolve($("token").value);
      else reject(new Problem("Without a token the service does not answer."));
      dialog.returnValue = "";
    };
  });
}

function enable(able) {
  for (const id of ["file", ...Object.keys(RECORDERS)]) $(id).disabled = !able;
}

// --- a recording and its answer -------------------------------------------------------------------

function clear() {
  recording = null;
  view.hide();
  for (const id of ["result", "why", "more"]) $(id).hidden = true;
}

async function take(made) {
  clear();
  recording = made;
  player.load(made.blob);
  try {
    const found = await busy("Listening …", () => engine.answer(made, speaker));
    if (recording !== made) return; // another came meanwhile
    if (made.notice && engine === engines.browser) found.warnings.unshift(made.notice);
    showAnswer(found, facts);
    colour = getComputedStyle($("result")).getPropertyValue("--label");
    follow(null);
    $("label").focus({ preventScroll: true });
    $("more").hidden = engine !== engines.server || found.probabilities === null;
    if (found.duration > window_) await timeline();
  } catch (error) {
    if (recording !== made) return;
    clear();
    show(error);
  }
}

async function timeline() {
  const made = recording;
  const response = await busy("Following the recording …", () => engine.timeline(made, "json", speaker));
  const found = await response.json();
  if (recording === made) view.show(found);
}

async function explain() {
  const made = recording;
  const found = await busy("Looking for reasons …", () => engine.explanation(made, speaker));
  if (recording !== made) return;
  $("why").hidden = false;
  const part = recording.samples?.length > window_ * rate ? ` The first ${window_} s of speech are explained.` : "";
  $("why-words").textContent = `${found.sentence}.${part}`;
  drawEvidence($("why-chart"), found, facts);
}

async function save(format) {
  const response = await engine.timeline(recording, format, speaker);
  download(await response.blob(), `emotions.${format}`);
}

function download(blob, name) {
  const link = element("a", "", { download: name, href: URL.createObjectURL(blob) });
  link.click();
  URL.revokeObjectURL(link.href);
}

/** Show which second is heard; null for none. */
function follow(seconds) {
  const samples = recording?.samples, duration = samples ? samples.length / rate : 0;
  $("sound").hidden = !recording;
  for (const id of ["waveform", "clock"]) $(id).hidden = !samples;
  if (samples) {
    drawWaveform($("waveform"), samples, colour, seconds === null ? 1 : seconds / duration);
    $("clock").textContent = `${(seconds ?? duration).toFixed(1)} s`;
  }
  view.follow(seconds);
}

async function busy(text, work) {
  document.body.setAttribute("aria-busy", "true");
  $("problem").textContent = "";
  $("hint").textContent = text;
  try {
    return await work();
  } finally {
    document.body.removeAttribute("aria-busy");
    $("hint").textContent = "Record again, or drop another recording anywhere on this page.";
  }
}

function show(error) {
  $("problem").textContent = error instanceof Problem ? error.message : `Something failed: ${error.message}`;
}

// --- the normal voice of whoever speaks ------------------------------------------------------------

async function enroll(made) {
  const found = await busy("Listening …", () => engine.enroll(made));
  showVoice(found);
  if (recording) await take(recording);
}

/** Show whose normal voice is known; null for nobody's. */
function showVoice(found) {
  speaker = found;
  for (const id of ["voice-save", "voice-forget"]) $(id).hidden = !found;
  const warnings = found?.warnings.map(({ message }) => ` ${message[0].toUpperCase()}${message.slice(1)}.`).join("") ?? "";
  $("voice-words").textContent = found
    ? `Your normal voice is known from ${found.speech_dur.toFixed(1)} s of speech, until you leave this page.${warnings}`
    : INVITATION;
}

// --- the microphone -------------------------------------------------------------------------------

/** Record until the button is pressed again, or for so many seconds; then do something with it. */
async function record(button, { feed, longest = facts.browser_dur, then = take } = {}) {
  const blocks = [];
  let seconds = 0;
  const close = await openMicrophone(rate, (samples) => {
    blocks.push(samples);
    feed?.push(samples)?.catch(show);
    seconds += samples.length / rate;
    onceAFrame("level", () => {
      if (!stop) return;
      drawWaveform($("level"), lastOf(blocks, LEVEL_DUR * rate), "#888");
      $("hint").textContent = button.id === "enroll"
        ? `Speak normally, about anything, for ${Math.ceil(Math.max(0, longest - seconds))} s more.`
        : `${seconds.toFixed(1)} s of ${longest} at most. Press the button again to end.`;
    });
    if (seconds > longest) stop?.().catch(show);
  });
  running(button, true);
  stop = async () => {
    stop = null;
    await close();
    await feed?.close();
    running(button, false);
    await then(fromMicrophone(blocks, rate));
  };
}

async function goLive(button) {
  clear();
  const draw = (columns) => onceAFrame("chart", () => {
    if (stop) view.showColumns(columns, Math.max(LIVE_DUR, columns.at(-1).end));
  });
  const live = new Live(facts.labels, {
    result: (result, columns) => { showLive(result, facts); draw(columns); },
    segment: (segments, columns) => { view.showSegments(segments); draw(columns); },
    problem: (text) => show(new Problem(text)),
  });
  await engine.ready();
  const feed = engine.live((event) => live.take(event), speaker);
  follow(null);
  try {
    await feed.opened;
    await record(button, { feed });
  } catch (error) {
    await feed.close();
    throw error;
  }
}

function running(button, on) {
  $("level").hidden = !on;
  $("engines").disabled = on;
  $("answer").setAttribute("aria-live", on ? "off" : "polite"); // a running answer is not read aloud
  button.classList.toggle("running", on);
  button.lastChild.textContent = on ? "Stop" : RECORDERS[button.id];
  for (const other of ["file", ...Object.keys(RECORDERS)]) $(other).disabled = on && $(other) !== button;
}

function press(button, start) {
  button.onclick = async () => {
    $("problem").textContent = "";
    try {
      await (stop ? stop() : start(button));
    } catch (error) {
      running(button, false);
      show(error);
    }
  };
}

// --- what starts it all ---------------------------------------------------------------------------

async function takeFile(file) {
  if (file && engine && !stop) await take(await fromFile(file, rate, facts.browser_dur));
}

press($("record"), (button) => record(button));
press($("live"), goLive);
press($("enroll"), (button) => record(button, { longest: ENROLL_DUR, then: enroll }));
$("voice").hidden = !facts.enrolment;
$("voice-save").onclick = () => download(new Blob([fileOf(speaker)]), "speaker.json");
$("voice-forget").onclick = () => {
  showVoice(null);
  if (recording && !stop) take(recording).catch(show);
};
$("file").onchange = () => takeFile($("file").files[0]).then(() => { $("file").value = ""; });
$("explain").onclick = () => explain().catch(show);
$("exports").onclick = ({ target }) => target.dataset.format && save(target.dataset.format).catch(show);
addEventListener("resize", () => follow(player.audio.paused ? null : player.audio.currentTime));
addEventListener("dragover", (event) => { event.preventDefault(); document.body.classList.add("dropping"); });
addEventListener("dragleave", (event) => event.relatedTarget || document.body.classList.remove("dropping"));
addEventListener("drop", (event) => {
  event.preventDefault();
  document.body.classList.remove("dropping");
  takeFile(event.dataTransfer.files[0]);
});

for (const input of document.querySelectorAll("[name=engine]")) {
  input.onchange = () => choose(input.value).catch(show);
}
$("engines").hidden = facts.engines.length < 2;
const { model } = facts;
const scoresOf = ({ scores, protocol }) => `${Object.entries(scores).map(([k, v]) => `${k} ${v}`).join(", ")} (${protocol})`;
const card = {
  "Model": `${model.id}, version ${facts.version}`, "Trained on": model.trained_on, "Scores": scoresOf(model), "Licence": model.licence,
  "Cite": model.citation, "Meant for": model.intended_use, "SHA-256": model.sha256,
};
$("card").querySelector("dl").append(...Object.entries(card).flatMap(([k, v]) => [element("dt", k), element("dd", v)]));
const wanted = new URLSearchParams(location.search).get("engine"); // a link can name one
await choose(facts.engines.includes(wanted) ? wanted : facts.engines[0]).catch((error) => { $("place").textContent = "The model cannot run here."; show(error); });
document.body.dataset.ready = "true";
