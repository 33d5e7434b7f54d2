"""A real Chromium for tests, and the page in it as a user sees it."""

import os
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from playwright.sync_api import Browser, BrowserContext, Page, Playwright

from audio_emotion import Classifier, read_audio

ROOT = Path(__file__).parents[2]
SAMPLES = sorted([*(ROOT / "samples").glob("*.flac"), *(ROOT / "samples").glob("*.ogg")])
AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"
PATIENCE = 120.0  # s after which something has gone wrong, on a busy machine
RATE = 16_000
MICROPHONE = ["--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream"]
SPY = """
window.sent = [];  // samples that the worker gets
window.posted = [];  // bytes that the service gets
const post = Worker.prototype.postMessage;
Worker.prototype.postMessage = function (message, ...rest) {
  if (message.samples) window.sent.push(Array.from(message.samples));
  return post.call(this, message, ...rest);
};
const send = window.fetch;
window.fetch = async (where, options) => {
  if (options?.body) {
    const { body } = options, sound = body instanceof FormData ? body.get("file") : body;
    const bytes = await sound.arrayBuffer();
    window.posted.push(Array.from(new Uint8Array(bytes)));
  }
  return send(where, options);
};
"""
ANSWER = """() => {
  const done = !document.body.hasAttribute("aria-busy");
  const label = document.querySelector("#label").dataset.label;
  return done && (label || document.querySelector("#problem").textContent) ? true : false;
}"""
FORGET = """() => {
  delete document.querySelector("#label").dataset.label;
  document.querySelector("#problem").textContent = "";
}"""


def chromium() -> str:
    """Return the path of the system's Chromium."""
    named = os.environ.get("CHROMIUM")
    found = named or shutil.which("chromium") or shutil.which("google-chrome")
    assert found, "the tests of the page need chromium, or its path in CHROMIUM"
    return found


@contextmanager
def browser(playwright: Playwright, *options: str) -> Iterator[Browser]:
    """Start Chromium."""
    started = playwright.chromium.launch(
        executable_path=chromium(), args=["--no-sandbox", *options]
    )
    try:
        yield started
    finally:
        started.close()


class Visit:
    """The page in a tab of its own.

    Attributes:
        complaints: of the console, and errors.
        requests: the addresses that were asked.
    """

    def __init__(self, context: BrowserContext, url: str, engine: str = "browser") -> None:
        context.add_init_script(SPY)
        self.tab: Page = context.new_page()
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self.tab.on("console", lambda message: self.complaints.append(message.text))
        self.tab.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.tab.on("request", lambda request: self._note(request.url))
        self.tab.on("websocket", lambda socket: self._note(socket.url))
        self.tab.goto(f"{url}?engine={engine}")
        self.tab.wait_for_selector("body[data-ready]", timeout=1000 * PATIENCE)
        self.requests.clear()

    @property
    def engine(self) -> str | None:
        """Where the model runs."""
        return self.tab.get_attribute("body", "data-engine")

    def choose(self, engine: str) -> None:
        """Choose where the model runs."""
        self.tab.click(f"label:has([name=engine][value={engine}])")
        self.tab.wait_for_selector(f"body[data-engine={engine}]", timeout=1000 * PATIENCE)

    def text(self, id_: str) -> str:
        """Return the text of an element."""
        return self.tab.inner_text(f"#{id_}")

    def send(self, file: Any) -> None:
        """Choose a file, and wait for the answer or the problem."""
        self.tab.evaluate(FORGET)
        self.tab.set_input_files("#file", file)
        self.wait()

    def record(self, button: str = "record", seconds: float = 2.0) -> None:
        """Record from the microphone, and wait for the answer or the problem."""
        self.tab.evaluate(FORGET)
        self.tab.click(f"#{button}")
        self.end_recording(button, seconds)
        self.wait()

    def end_recording(self, button: str, seconds: float = 2.0) -> None:
        """Wait until so much is recorded, and end it."""
        self.until(lambda: self._recorded() >= seconds)
        self.tab.evaluate(FORGET)
        self.tab.click(f"#{button}")

    def _recorded(self) -> float:
        """Return the seconds that the page says were recorded."""
        found = re.match(r"([\d.]+) s of ", self.text("hint"))
        return float(found[1]) if found else 0.0

    def wait(self) -> None:
        """Wait for an answer or a problem."""
        self.until(lambda: self.tab.evaluate(ANSWER))

    def until(self, condition: Any) -> None:
        """Wait until a condition holds."""
        end = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < end, f"it took too long; {self.complaints}"
            self.tab.wait_for_timeout(50)

    @property
    def label(self) -> str | None:
        """The label of the answer."""
        return self.tab.get_attribute("#label", "data-label")

    @property
    def probabilities(self) -> dict[str, float]:
        """All probabilities that are shown."""
        rows = self.tab.query_selector_all("#bars li")
        return {
            str(row.get_attribute("data-label")): float(str(row.get_attribute("data-probability")))
            for row in rows
        }

    def sent(self) -> np.ndarray:
        """Return the samples that the worker got last."""
        return np.array(self.tab.evaluate("() => window.sent.at(-1)"), np.float32)

    def posted(self) -> bytes:
        """Return the bytes that the service got last."""
        return bytes(self.tab.evaluate("() => window.posted.at(-1)"))

    def violations(self) -> list[str]:
        """Return what axe finds wrong."""
        self.tab.evaluate(AXE.read_text(encoding="utf-8"))
        found = self.tab.evaluate("() => axe.run()")["violations"]
        return [f"{v['id']}: {[n['html'] for n in v['nodes']]}" for v in found]

    def _note(self, url: str) -> None:
        if not url.startswith(("blob:", "data:")):
            self.requests.append(url)


def difference(ours: dict[str, float], theirs: dict[str, float] | None) -> float:
    """Return the largest difference of two answers' probabilities."""
    assert theirs
    assert ours.keys() == theirs.keys()
    return max(abs(ours[label] - theirs[label]) for label in theirs)


def speech(*names: str, pause: float = 1.5) -> np.ndarray:
    """Return samples of speech, one after the other, at `RATE`."""
    import soxr

    parts = [np.zeros(RATE // 2, np.float32)]
    for name in names:
        signal, rate = read_audio(ROOT / "samples" / name)
        parts += [soxr.resample(signal, rate, RATE), np.zeros(round(pause * RATE), np.float32)]
    return np.concatenate(parts).astype(np.float32)


def wav(path: Path, signal: np.ndarray, rate: int = RATE) -> Path:
    """Write a WAV file that every browser reads."""
    soundfile.write(path, signal, rate, subtype="PCM_16")
    return path


def lead(classifier: Classifier, path: Path) -> float:
    """Return by how much the first label leads; in a tie resampling decides."""
    prediction = classifier.file(path)
    first, second = sorted((prediction.probabilities or {}).values(), reverse=True)[:2]
    return first - second
