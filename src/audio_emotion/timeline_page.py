"""A timeline as one web page that works offline: to look at, click on and listen to.

Waveform, probabilities stacked over time, a button for each segment, seconds of each emotion.  The
recording goes into the page as Opus, so the file can be sent to somebody else.  Everything drawn is
also there as text, and every segment can be reached by the keyboard.
"""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from .audio import Signal, Source, describe, open_blocks
from .errors import AudioError
from .segmenter import NO_SPEECH, UNCERTAIN
from .timeline import Timeline
from .timeline_writers import clock

WIDTH, HEIGHT = 1000, 160  # units of the drawings
COLUMNS = 1000  # of waveform and probabilities at most
PEAK_HOP = 400  # samples of one peak before they are merged to columns
OPUS_RATE = 48_000  # Hz, of the codec
BITS = 32_000  # bit/s: 14 MB an hour
COLOURS = {
    "neutral": "#9aa0a6",
    "calm": "#7fc4c1",
    "happy": "#f2b705",
    "sad": "#4a7bd0",
    "angry": "#d93025",
    "fearful": "#8e44ad",
    "disgust": "#5f8a3c",
    "surprised": "#f28c38",
    UNCERTAIN: "#bdbdbd",
    NO_SPEECH: "transparent",
}
OTHER = "#888888"  # a label of a model with labels of its own
STYLE = """
:root { color-scheme: light dark; --ink: #1b1f24; --paper: #fff; --line: #d0d7de }
@media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --paper: #0d1117; --line: #30363d } }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper);
  max-width: 70rem; margin: 2rem auto; padding: 0 1rem }
audio { width: 100% } svg { width: 100%; height: 9rem; display: block; margin: .5rem 0;
  border: 1px solid var(--line) } .wave { stroke: var(--ink); stroke-width: 1 }
#now { stroke: var(--ink); stroke-width: 2 } ol { padding: 0; list-style: none; columns: 18rem }
button { font: inherit; color: inherit; background: none; border: 1px solid var(--line);
  border-left: .6rem solid var(--c); border-radius: .3rem; padding: .2rem .6rem; margin: .15rem 0;
  width: 100%; text-align: left; cursor: pointer } button[aria-current=true] { outline: 3px solid }
.bar { background: var(--c); height: .8rem; display: inline-block } td, th { padding: .1rem .6rem;
  text-align: left } .swatch { display: inline-block; width: .8rem; height: .8rem;
  background: var(--c); margin-right: .3rem }
"""
SCRIPT = """
const audio = document.querySelector('audio'), now = document.getElementById('now');
const buttons = [...document.querySelectorAll('button[data-start]')];
buttons.forEach((b, i) => {
  b.onclick = () => { audio.currentTime = +b.dataset.start; audio.play(); };
  b.onkeydown = e => {
    const to = { ArrowDown: i + 1, ArrowUp: i - 1 }[e.key];
    if (buttons[to]) { buttons[to].focus(); e.preventDefault(); }
  };
});
audio.ontimeupdate = () => {
  const x = 1000 * audio.currentTime / +document.body.dataset.duration;
  now.setAttribute('x1', x); now.setAttribute('x2', x);
  buttons.forEach(b => b.setAttribute('aria-current',
    audio.currentTime >= +b.dataset.start && audio.currentTime < +b.dataset.end));
};
document.querySelectorAll('svg').forEach(s => s.onclick = e => {
  const box = s.getBoundingClientRect();
  audio.currentTime = (e.clientX - box.left) / box.width * +document.body.dataset.duration;
  audio.play();
});
"""


def page(timeline: Timeline, source: Source) -> str:
    """The page of a recording and its timeline.

    Raises:
        AudioError: as `read_audio`.
    """
    title = html.escape(describe(source))
    peaks, sound = listen(source)
    drawn = _waveform(peaks) + _stacked(timeline)
    broken = f"<p>Broke off: {html.escape(timeline.broken)}</p>" if timeline.broken else ""
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{STYLE}</style></head><body data-duration='{timeline.duration:.3f}'>"
        f"<h1>{title}</h1>{broken}"
        f"<audio controls src='data:audio/ogg;base64,{base64.b64encode(sound).decode()}'></audio>"
        f"{drawn}{_legend(timeline.labels)}<h2>Segments</h2><ol>{_segments(timeline)}</ol>"
        f"<h2>Seconds of each</h2>{_shares(timeline)}<script>{SCRIPT}</script></body></html>\n"
    )


def listen(source: Source) -> tuple[npt.NDArray[np.float32], bytes]:
    """Loudest sample of each column, and the recording as Opus in Ogg, in one pass."""
    import av

    file = io.BytesIO()
    peaks: list[npt.NDArray[np.float32]] = []
    with open_blocks(source) as opened, av.open(file, "w", format="ogg") as container:
        stream = container.add_stream("libopus", rate=OPUS_RATE, layout="mono")
        stream.bit_rate = BITS
        resampler = av.AudioResampler("s16", "mono", OPUS_RATE)
        for block in _mono(opened.blocks):
            rows = np.abs(np.pad(block, (0, -len(block) % PEAK_HOP))).reshape(-1, PEAK_HOP)
            peaks.append(rows.max(1))
            pcm = np.round(np.clip(block, -1, 1) * 32_767).astype(np.int16)[None]
            frame = av.AudioFrame.from_ndarray(pcm, format="s16", layout="mono")
            frame.sample_rate = opened.sampling_rate
            for resampled in resampler.resample(frame):
                container.mux(stream.encode(resampled))
        for resampled in resampler.resample(None):
            container.mux(stream.encode(resampled))
        container.mux(stream.encode(None))
    whole = np.concatenate(peaks) if peaks else np.zeros(1, np.float32)
    columns = np.array_split(whole, min(COLUMNS, len(whole)))
    return np.array([column.max() for column in columns], np.float32), file.getvalue()


def _mono(blocks: Iterator[Signal]) -> Iterator[Signal]:
    """Blocks up to where a recording breaks off."""
    heard = False
    try:
        for block in blocks:
            heard = True
            yield np.ascontiguousarray(block.mean(1), np.float32)
    except AudioError:
        if not heard:
            raise


def _waveform(peaks: npt.NDArray[np.float32]) -> str:
    scale = HEIGHT / 2 / max(float(peaks.max()), 1e-6)
    middle = HEIGHT / 2
    path = "".join(
        f"M{WIDTH * (n + 0.5) / len(peaks):.1f} {middle - scale * p:.1f}V{middle + scale * p:.1f}"
        for n, p in enumerate(peaks.tolist())
    )
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="none" role="img" '
        f'aria-label="Waveform"><path class=wave d="{path}"/>'
        f'<line id=now x1=0 x2=0 y1=0 y2="{HEIGHT}"/></svg>'
    )


def _stacked(timeline: Timeline) -> str:
    rows = np.nan_to_num(timeline.probabilities)
    groups = np.array_split(rows, min(COLUMNS, len(rows)))
    means = np.array([group.mean(0) for group in groups])  # (columns, labels)
    tops = np.concatenate([np.zeros((len(means), 1)), np.cumsum(means, 1)], 1)
    areas = [
        f'<polygon fill="{_colour(label)}" points="{_area(tops[:, n], tops[:, n + 1])}">'
        f"<title>{html.escape(label)}</title></polygon>"
        for n, label in enumerate(timeline.labels)
    ]
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="none" role="img" '
        'aria-label="Probabilities of each emotion over time, as the segments below tell">'
        f"{''.join(areas)}</svg>"
    )


def _area(low: npt.NDArray[np.float64], high: npt.NDArray[np.float64]) -> str:
    x = WIDTH * np.arange(len(low)) / max(1, len(low) - 1)
    there = [f"{a:.1f},{HEIGHT * (1 - b):.1f}" for a, b in zip(x, high, strict=True)]
    back = [f"{a:.1f},{HEIGHT * (1 - b):.1f}" for a, b in zip(x, low, strict=True)]
    return " ".join([*there, *reversed(back)])


def _legend(labels: Sequence[str]) -> str:
    return "<p>" + " ".join(f"{_swatch(label)}{html.escape(label)}" for label in labels) + "</p>"


def _segments(timeline: Timeline) -> str:
    return "".join(
        f"<li><button data-start='{s.start:.3f}' data-end='{s.end:.3f}' "
        f"style='--c:{_colour(s.label)}'>{clock(s.start)} – {clock(s.end)} "
        f"{html.escape(s.label)} {s.confidence:.0%}</button></li>"
        for s in timeline.segments
        if s.label != NO_SPEECH
    )


def _shares(timeline: Timeline) -> str:
    rows = "".join(
        f"<tr><th scope=row>{_swatch(label)}{html.escape(label)}</th><td>{seconds:.1f} s</td>"
        f"<td><span class=bar style='--c:{_colour(label)};"
        f"width:{20 * seconds / timeline.duration:.2f}rem'></span></td></tr>"
        for label, seconds in timeline.shares().items()
    )
    return f"<table>{rows}</table>"


def _swatch(label: str) -> str:
    return f"<span class=swatch style='--c:{_colour(label)}'></span>"


def _colour(label: str) -> str:
    return COLOURS.get(label, OTHER)
