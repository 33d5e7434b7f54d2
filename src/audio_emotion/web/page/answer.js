// The answer: one large word, how sure the model is in words, and all probabilities.

const $ = (id) => document.getElementById(id);
const LIKELY = 0.5; // probability from which an emotion is more likely than not

export const percent = (share) => `${Math.round(100 * share)}%`;
export const colourOf = (label, facts) => facts.colours[label] ?? facts.colours[""];

export function element(name, text = "", attributes = {}) {
  const made = document.createElement(name);
  made.textContent = text;
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

/** Return the headline of an answer and a sentence about how sure it is. */
export function inWords(found, facts) {
  const { label, confidence, runner_up: second, probabilities } = found;
  if (confidence === null) {
    return [label, label === "too short" ? "Speak for a second or more." : "Nobody speaks or sings here."];
  }
  const next = percent(probabilities[second]);
  if (found.confident) {
    const right = Math.round(10 * facts.model.calibration.target_accuracy);
    return [label, `${percent(confidence)}, fairly sure. With actors, such answers were right ${right} times in 10.`];
  }
  if (confidence >= LIKELY) return [`perhaps ${label}`, `${percent(confidence)}, more likely than not, but not sure. Next comes ${second} with ${next}.`];
  return [`${label} or ${second}?`, `A guess: ${label} has ${percent(confidence)}, ${second} ${next}.`];
}

/** Show an answer; `found` has the fields of the service's. */
export function showAnswer(found, facts) {
  say(...inWords(found, facts), found.label, facts);
  const told = found.warnings.filter(({ code }) => code !== found.label.replace(" ", "_"));
  $("warnings").replaceChildren(...told.map(({ message }) => element("li", `${message[0].toUpperCase()}${message.slice(1)}.`)));
  showBars(found.probabilities, found.label, facts);
  const { plain } = found;
  $("plain").hidden = !plain?.probabilities;
  if (plain?.probabilities) $("plain").textContent = `Without your normal voice: ${plain.label}, ${percent(plain.confidence)}.`;
}

/** Show what the last seconds sound like while somebody speaks. */
export function showLive({ label, confidence, probabilities }, facts) {
  say(label, `${percent(confidence)}, going by the last two seconds.`, label, facts);
  $("warnings").replaceChildren();
  $("plain").hidden = true;
  showBars(probabilities, label, facts);
}

function say(headline, words, label, facts) {
  $("result").hidden = false;
  $("result").style.setProperty("--label", colourOf(label, facts));
  $("label").textContent = headline;
  $("label").dataset.label = label;
  $("words").textContent = words;
}

/** Show the probability of every emotion; without probabilities nothing. */
export function showBars(probabilities, label, facts) {
  $("bars").hidden = !probabilities;
  if (!probabilities) return;
  if ($("bars").childElementCount !== facts.labels.length) {
    $("bars").replaceChildren(...facts.labels.map((name) => row(name, facts)));
  }
  facts.labels.forEach((name, n) => {
    const item = $("bars").children[n], share = probabilities[name];
    item.dataset.probability = share;
    item.querySelector(".bar").style.width = `${100 * share}%`;
    item.querySelector(".share").textContent = percent(share);
    item.toggleAttribute("aria-current", name === label);
  });
}

function row(name, facts) {
  const item = element("li", "", { "data-label": name });
  const track = element("span", "", { class: "track", "aria-hidden": "true" });
  const bar = element("span", "", { class: "bar" });
  bar.style.display = "block";
  bar.style.setProperty("--label", colourOf(name, facts));
  track.append(bar);
  item.append(element("span", name), track, element("span", "", { class: "share" }));
  return item;
}
