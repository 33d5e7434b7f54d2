"""Timelines: known boundaries, the same however the samples come, formats that others can read."""

from __future__ import annotations

import base64
import csv
import io
import json
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pysubs2
import pytest
import soundfile
from praatio import textgrid
from typer.testing import CliRunner

from audio_emotion import EMOTIONS, Classifier, TimelineStream, read_audio, resample, timeline
from audio_emotion.cli.app import app
from audio_emotion.errors import AudioError, ConfigError, OutputError
from audio_emotion.segmenter import (
    NO_SPEECH,
    UNCERTAIN,
    EmotionSegment,
    Segmenter,
    TimelineSettings,
)
from audio_emotion.timeline import Timeline, timelines_of_file
from audio_emotion.timeline_page import page
from audio_emotion.timeline_writers import WRITERS, get_writer
from audio_emotion.voice import RATE, Stretch
from conftest import through_ffmpeg

SAMPLES = Path(__file__).parents[1] / "samples"
STEP = 0.1


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return Classifier()


@pytest.fixture(scope="module")
def spoken() -> tuple[np.ndarray, list[tuple[float, float]]]:
    """Synthesised sentences between silences of a second, with where each begins and ends."""
    parts, truth, at = [np.zeros(RATE, np.float32)], [], RATE
    for name in ("flat", "slow_low", "loud_tense"):
        signal, rate = soundfile.read(SAMPLES / f"{name}.flac", dtype="float32")
        sentence = resample(signal, rate, RATE)
        parts += [sentence, np.zeros(RATE, np.float32)]
        loud = np.flatnonzero(np.abs(sentence) > 0.02 * np.abs(sentence).max())
        truth.append(((at + loud[0]) / RATE, (at + loud[-1]) / RATE))
        at += len(sentence) + RATE
    return np.concatenate(parts), truth


@pytest.fixture(scope="module")
def found(spoken: tuple[np.ndarray, list[tuple[float, float]]], classifier: Classifier) -> Timeline:
    return timeline(spoken[0], RATE, classifier)


def test_voices_are_found_where_they_are(
    spoken: tuple[np.ndarray, list[tuple[float, float]]], found: Timeline
) -> None:
    voiced = [s for s in found.segments if s.label != NO_SPEECH]
    for start, end in spoken[1]:
        inside = [s for s in voiced if s.end > start and s.start < end]
        assert inside
        assert min(s.start for s in inside) == pytest.approx(start, abs=0.4)
        assert max(s.end for s in inside) == pytest.approx(end, abs=0.4)


def test_segments_cover_the_recording_in_order(found: Timeline) -> None:
    assert found.segments[0].start == 0
    assert found.segments[-1].end == pytest.approx(found.duration)
    for first, second in zip(found.segments, found.segments[1:], strict=False):
        assert first.end == second.start
    assert sum(found.shares().values()) == pytest.approx(found.duration)
    assert {s.label for s in found.segments} <= {*EMOTIONS, NO_SPEECH, UNCERTAIN}


def test_probabilities_are_there_where_somebody_is_heard(found: Timeline) -> None:
    assert len(found.probabilities) == pytest.approx(found.duration / STEP, abs=1)
    heard = ~np.isnan(found.probabilities[:, 0])
    np.testing.assert_allclose(found.probabilities[heard].sum(1), 1, atol=1e-4)
    for segment in found.segments:
        middle = round((segment.start + segment.end) / 2 / STEP)
        assert heard[middle] == (segment.label != NO_SPEECH)


@pytest.mark.parametrize("rate", [16_000, 44_100])
def test_odd_pieces_give_the_same_as_all_at_once(
    spoken: tuple[np.ndarray, list[tuple[float, float]]], classifier: Classifier, rate: int
) -> None:
    signal = resample(spoken[0], RATE, rate)
    whole = timeline(signal, rate, classifier)
    stream, segments = TimelineStream(classifier), []
    rng, at = np.random.default_rng(0), 0
    while at < len(signal):
        size = int(rng.integers(1, 9000))
        segments += stream.push(signal[at : at + size], rate)
        at += size
    segments += stream.close()
    assert tuple(segments) == whole.segments
    np.testing.assert_array_equal(stream.axis.rows(stream.duration), whole.probabilities)


def test_memory_does_not_grow_with_the_length(classifier: Classifier) -> None:
    signal, rate = soundfile.read(SAMPLES / "flat.flac", dtype="float32")
    sentence = resample(signal, rate, RATE)
    stream, kept = TimelineStream(classifier), []
    for _ in range(12):  # one voice without a pause, far longer than a window
        stream.push(sentence, RATE)
        kept.append(len(stream._kept))
    assert max(kept[6:]) <= max(kept[:6]) + len(sentence)
    assert max(kept) < 8 * RATE


def test_short_silent_and_empty_recordings(classifier: Classifier) -> None:
    assert [s.label for s in timeline(np.zeros(RATE), RATE, classifier).segments] == [NO_SPEECH]
    signal, rate = soundfile.read(SAMPLES / "fast_high.flac", dtype="float32")
    assert len(signal) / rate < classifier.win_dur
    assert {s.label for s in timeline(signal, rate, classifier).segments} - {NO_SPEECH}
    assert timeline(np.zeros(1), RATE, classifier).duration == 1 / RATE
    with pytest.raises(AudioError, match="no samples"):
        timeline(np.zeros(0), RATE, classifier)


def test_music_is_hardly_ever_taken_for_a_voice(classifier: Classifier) -> None:
    time = np.arange(20 * RATE) / RATE
    chord = sum(0.1 * np.sin(2 * np.pi * hertz * time) for hertz in (130.8, 261.6, 329.6, 392.0))
    beat = np.exp(-20 * np.mod(time, 0.5)) * np.random.default_rng(0).standard_normal(len(time))
    found = timeline(chord + 0.5 * beat, RATE, classifier)
    assert found.shares()[NO_SPEECH] > 0.9 * found.duration


def test_a_clipped_recording_is_heard_and_told(
    spoken: tuple[np.ndarray, list[tuple[float, float]]],
    found: Timeline,
    classifier: Classifier,
    tmp_path: Path,
) -> None:
    clipped = np.clip(10 * spoken[0], -1, 1)
    told = timeline(clipped, RATE, classifier)
    assert told.clipped == pytest.approx((np.abs(clipped) == 1).mean(), abs=1e-3)
    assert told.clipped > 0.01 > found.clipped
    voiced = found.duration - found.shares()[NO_SPEECH]
    assert told.duration - told.shares()[NO_SPEECH] == pytest.approx(voiced, rel=0.2)
    for name, signal in {"loud": clipped, "plain": spoken[0]}.items():
        soundfile.write(tmp_path / f"{name}.wav", signal, RATE)
        result = CliRunner().invoke(app, ["timeline", str(tmp_path / f"{name}.wav")])
        assert result.exit_code == 0
        assert ("stand at full scale" in result.stderr) == (name == "loud")


def test_a_stream_cannot_change_its_rate(classifier: Classifier) -> None:
    stream = TimelineStream(classifier)
    stream.push(np.zeros(100), 8000)
    with pytest.raises(AudioError, match="began at 8000 Hz and goes on at 16000 Hz"):
        stream.push(np.zeros(100), 16_000)


def test_settings_are_refused_in_words(classifier: Classifier) -> None:
    with pytest.raises(ConfigError, match=r"hop_dur 9\.0 s is longer than win_dur 2\.0 s"):
        TimelineSettings(hop_dur=9.0)
    with pytest.raises(ConfigError, match="must lie in"):
        TimelineSettings(margin=2)
    with pytest.raises(ConfigError, match="must be positive"):
        TimelineSettings(step_dur=0)


@pytest.mark.parametrize(("wanted", "longest"), [(1.2, 1.2), (9.0, 3.5)])
def test_a_window_is_as_long_as_wanted_and_as_the_model_allows(
    spoken: tuple[np.ndarray, list[tuple[float, float]]],
    classifier: Classifier,
    monkeypatch: pytest.MonkeyPatch,
    wanted: float,
    longest: float,
) -> None:
    heard: list[int] = []
    plain = classifier.windows

    def windows(signals: np.ndarray) -> np.ndarray:
        heard.append(signals.shape[1])
        return plain(signals)

    monkeypatch.setattr(classifier, "windows", windows)
    voice = np.tile(spoken[0][RATE : 2 * RATE], 6)
    timeline(voice, RATE, classifier, TimelineSettings(win_dur=wanted, hop_dur=1.0))
    assert max(heard) == round(longest * classifier.sampling_rate)


def rows(*labels: int, strength: float = 0.8) -> list[tuple[float, np.ndarray]]:
    found = []
    for step, label in enumerate(labels):
        row = np.full(3, (1 - strength) / 2)
        row[label] = strength
        found.append((step * STEP, row))
    return found


def segment(*labels: int, strength: float = 0.8) -> list[EmotionSegment]:
    stretch = Stretch(0, round(len(labels) * STEP * RATE))
    settings = TimelineSettings(min_dur=0.3, uncertain_below=0.5)
    return Segmenter(settings, ("a", "b", "c")).push(stretch, rows(*labels, strength=strength))


def test_another_label_must_last_and_then_begins_where_it_began() -> None:
    flicker = segment(*[0] * 10, 1, 1, *[0] * 10)
    assert [(s.label, s.start) for s in flicker] == [("a", 0)]
    change = segment(*[0] * 10, *[1] * 10)
    assert [(s.label, s.start, s.end) for s in change] == [
        ("a", 0, pytest.approx(1.0)),
        ("b", pytest.approx(1.0), pytest.approx(2.0)),
    ]
    assert all(s.duration >= 0.3 for s in segment(*[0] * 4, *[1] * 3, *[2] * 5, 1, *[0] * 9))


def test_a_first_guess_that_does_not_last_gives_way() -> None:
    assert [(s.label, s.start) for s in segment(2, *[0] * 9)] == [("a", 0)]


def test_doubt_is_told() -> None:
    (doubtful,) = segment(*[0] * 5, strength=0.4)
    assert doubtful.label == UNCERTAIN
    assert doubtful.confidence == pytest.approx(0.4)


# --- files, formats, command -----------------------------------------------------------------


def test_a_file_streams_to_the_same_timeline(
    spoken: tuple[np.ndarray, list[tuple[float, float]]], found: Timeline, classifier: Classifier,
    tmp_path: Path,
) -> None:  # fmt: skip
    path = tmp_path / "talk.wav"
    soundfile.write(path, spoken[0], RATE, subtype="FLOAT")
    (streamed,) = timelines_of_file(path, classifier)
    assert streamed.segments == found.segments


def test_each_channel_has_its_own_timeline(
    spoken: tuple[np.ndarray, list[tuple[float, float]]], classifier: Classifier, tmp_path: Path
) -> None:
    stereo = np.stack([spoken[0], np.zeros_like(spoken[0])], 1)
    soundfile.write(tmp_path / "call.wav", stereo, RATE)
    voice, silence = timelines_of_file(tmp_path / "call.wav", classifier, separate=True)
    assert {s.label for s in voice.segments} - {NO_SPEECH}
    assert {s.label for s in silence.segments} == {NO_SPEECH}


@pytest.mark.parametrize(("ending", "channels"), [("flac", 2), ("mp4", 1)])
def test_progress_ends_at_the_length_that_the_header_states(
    spoken: tuple[np.ndarray, list[tuple[float, float]]],
    classifier: Classifier,
    ending: str,
    channels: int,
) -> None:
    signal = np.tile(spoken[0], 4)
    if ending == "flac":
        stream = io.BytesIO()
        soundfile.write(stream, np.stack([signal] * channels, 1), RATE, format="FLAC")
        recording = stream.getvalue()
    else:
        recording = through_ffmpeg(signal, ending, "aac", RATE)
    seen: list[tuple[float, float | None]] = []
    told = timelines_of_file(
        recording, classifier, separate=True, progress=lambda *now: seen.append(now)
    )
    duration = len(signal) / RATE
    assert [one.duration for one in told] == pytest.approx([duration] * channels, abs=0.15)
    heard = [now for now, _ in seen]
    assert heard == sorted(heard)
    assert len(heard) > 2 * channels
    assert heard[-1] == pytest.approx(channels * duration, abs=0.3)
    for _, whole in seen:
        assert whole == pytest.approx(channels * duration, abs=0.3)


def test_what_was_read_of_a_broken_file_is_kept(
    spoken: tuple[np.ndarray, list[tuple[float, float]]], classifier: Classifier, tmp_path: Path
) -> None:
    path = tmp_path / "cut.wav"
    soundfile.write(path, spoken[0], RATE, subtype="FLOAT")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    (half,) = timelines_of_file(path, classifier)
    assert half.broken is not None
    assert "truncated" in half.broken
    assert half.duration == pytest.approx(len(spoken[0]) / RATE / 2, abs=0.1)
    whole = timeline(spoken[0][: round(half.duration * RATE)], RATE, classifier)
    assert half.segments == whole.segments  # the blocks before the break are all heard
    result = CliRunner().invoke(app, ["timeline", str(path)])
    assert result.exit_code == 1
    assert "broke off after" in result.stdout


def test_subtitles_are_read_back_by_another_library(found: Timeline) -> None:
    voiced = [s for s in found.segments if s.label != NO_SPEECH]
    for name in ("srt", "vtt"):
        cues = pysubs2.SSAFile.from_string(WRITERS[name]().text(found), format_=name)
        assert [cue.start / 1000 for cue in cues] == pytest.approx(
            [s.start for s in voiced], abs=1e-3
        )
        assert [cue.text.split()[0] for cue in cues] == [s.label.split()[0] for s in voiced]


def test_a_textgrid_is_read_back_by_another_library(found: Timeline, tmp_path: Path) -> None:
    path = tmp_path / "talk.TextGrid"
    path.write_text(WRITERS["textgrid"]().text(found))
    tier = textgrid.openTextgrid(str(path), includeEmptyIntervals=True).getTier("emotion")
    read = [(entry.start, entry.end, entry.label) for entry in tier.entries]
    assert read == [
        (pytest.approx(s.start, abs=1e-5), pytest.approx(s.end, abs=1e-5), s.label)
        for s in found.segments
    ]


def test_json_csv_and_audacity_hold_every_segment(found: Timeline) -> None:
    values = json.loads(WRITERS["json"]().text(found))
    assert (values["schema"], values["version"]) == ("audio-emotion-timeline", 1)
    rows = [row or [np.nan] * len(found.labels) for row in values["probabilities"]]
    np.testing.assert_allclose(rows, found.probabilities, atol=1e-4)
    assert None in values["probabilities"]
    tables = {
        "json": [(s["start"], s["label"]) for s in values["segments"]],
        "csv": [
            (float(row["start"]), row["label"])
            for row in csv.DictReader(io.StringIO(WRITERS["csv"]().text(found)))
        ],
        "audacity": [
            (float(line.split("\t")[0]), line.split("\t")[2])
            for line in WRITERS["audacity"]().text(found).splitlines()
        ],
    }
    expected = [(pytest.approx(s.start, abs=1e-3), s.label) for s in found.segments]
    for table in tables.values():
        assert table == expected


def test_the_command_writes_by_ending_and_never_over_another(
    spoken: tuple[np.ndarray, list[tuple[float, float]]], tmp_path: Path
) -> None:
    path = tmp_path / "talk.wav"
    soundfile.write(path, spoken[0], RATE)
    shown = CliRunner().invoke(app, ["timeline", str(path)])
    assert shown.exit_code == 0
    assert "no speech" in shown.stdout
    out = tmp_path / "talk.srt"
    arguments = ["timeline", str(path), "--out", str(out)]
    assert CliRunner().invoke(app, arguments).exit_code == 0
    assert "-->" in out.read_text()
    assert isinstance(CliRunner().invoke(app, arguments).exception, OutputError)
    stereo = tmp_path / "call.wav"
    soundfile.write(stereo, np.stack([spoken[0]] * 2, 1), RATE)
    both = ["timeline", str(stereo), "--channels", "separate", "--out", str(tmp_path / "c.csv")]
    assert CliRunner().invoke(app, both).exit_code == 0
    assert (tmp_path / "c-1.csv").read_text() == (tmp_path / "c-2.csv").read_text()


class Page(HTMLParser):
    """Buttons, references to anything outside, and tags that are open."""

    def __init__(self) -> None:
        super().__init__()
        self.buttons: list[float] = []
        self.sources: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        facts = dict(attrs)
        if tag == "button":
            self.buttons.append(float(facts["data-start"] or 0))
        self.sources += [facts[name] or "" for name in ("src", "href") if name in facts]
        if tag != "meta":
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        while self.open and self.open[-1] in {"path", "line"} and self.open[-1] != tag:
            self.open.pop()
        assert self.open.pop() == tag


def test_a_page_stands_alone_and_sounds(
    spoken: tuple[np.ndarray, list[tuple[float, float]]], found: Timeline, tmp_path: Path
) -> None:
    path = tmp_path / "<b>talk.wav"
    soundfile.write(path, spoken[0], RATE)
    text = page(found, path)
    assert "<b>talk" not in text
    read = Page()
    read.feed(text)
    assert not read.open
    (sound,) = read.sources
    assert sound.startswith("data:audio/ogg;base64,")
    heard, rate = read_audio(base64.b64decode(sound.partition(",")[2]))
    assert len(heard) / rate == pytest.approx(found.duration, abs=0.1)
    loud = [np.abs(resample(s, r, 1000)[:10_000]) for s, r in [(heard, rate), (spoken[0], RATE)]]
    assert np.corrcoef(*loud)[0, 1] > 0.7
    assert read.buttons == [
        pytest.approx(s.start, abs=1e-3) for s in found.segments if s.label != NO_SPEECH
    ]


def test_unknown_formats_are_refused() -> None:
    with pytest.raises(OutputError, match="no format 'docx'"):
        get_writer("docx", None)
    with pytest.raises(OutputError, match="tells no format"):
        get_writer(None, Path("talk.docx"))
