"""Timelines: known boundaries, the same result however the samples arrive, and the command."""

import io
from pathlib import Path

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner

from audio_emotion import EMOTIONS, Classifier, TimelineStream, resample, timeline
from audio_emotion.cli.app import app
from audio_emotion.errors import AudioError, ConfigError, OutputError
from audio_emotion.inference.vad import RATE, SpeechRegion
from audio_emotion.timeline import NO_SPEECH, UNCERTAIN, Segment, Timeline, TimelineSettings
from audio_emotion.timeline.recording import timelines_of_file
from audio_emotion.timeline.segmenter import Segmenter
from conftest import through_ffmpeg

RUNNER = CliRunner()
SAMPLES = Path(__file__).parents[1] / "samples"
STEP = 0.1
Spoken = tuple[np.ndarray, list[tuple[float, float]]]


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return Classifier()


@pytest.fixture(scope="module")
def spoken() -> Spoken:
    """Synthesised sentences between silences of a second, and where each begins and ends."""
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
def talk(spoken: Spoken, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sentences as a file."""
    path = tmp_path_factory.mktemp("talk") / "talk.wav"
    soundfile.write(path, spoken[0], RATE, subtype="FLOAT")
    return path


@pytest.fixture(scope="module")
def found(spoken: Spoken, classifier: Classifier) -> Timeline:
    return timeline(spoken[0], RATE, classifier)


def speech(timeline: Timeline) -> list[Segment]:
    return [segment for segment in timeline.segments if segment.label != NO_SPEECH]


def test_speech_is_found_where_it_is(spoken: Spoken, found: Timeline) -> None:
    for start, end in spoken[1]:
        inside = [s for s in speech(found) if s.end > start and s.start < end]
        assert inside
        assert min(s.start for s in inside) == pytest.approx(start, abs=0.4)
        assert max(s.end for s in inside) == pytest.approx(end, abs=0.4)


def test_segments_cover_the_recording_in_order(found: Timeline) -> None:
    assert found.segments[0].start == 0
    assert found.segments[-1].end == pytest.approx(found.duration)
    for first, second in zip(found.segments, found.segments[1:], strict=False):
        assert first.end == second.start
    assert sum(found.durations().values()) == pytest.approx(found.duration)
    assert {s.label for s in found.segments} <= {*EMOTIONS, NO_SPEECH, UNCERTAIN}


def test_probabilities_exist_where_there_is_speech(found: Timeline) -> None:
    assert len(found.probabilities) == pytest.approx(found.duration / STEP, abs=1)
    predicted = ~np.isnan(found.probabilities[:, 0])
    np.testing.assert_allclose(found.probabilities[predicted].sum(1), 1, atol=1e-4)
    for segment in found.segments:
        middle = round((segment.start + segment.end) / 2 / STEP)
        assert predicted[middle] == (segment.label != NO_SPEECH)


@pytest.mark.parametrize("rate", [16_000, 44_100])
def test_pieces_of_any_size_give_the_timeline_of_the_whole(
    spoken: Spoken, classifier: Classifier, rate: int
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
    for _ in range(12):  # speech without a pause, far longer than a window
        stream.push(sentence, RATE)
        kept.append(len(stream._kept))
    assert max(kept[6:]) <= max(kept[:6]) + len(sentence)
    assert max(kept) < 8 * RATE


def test_short_silent_and_empty_recordings(classifier: Classifier) -> None:
    assert [s.label for s in timeline(np.zeros(RATE), RATE, classifier).segments] == [NO_SPEECH]
    signal, rate = soundfile.read(SAMPLES / "fast_high.flac", dtype="float32")
    assert len(signal) / rate < classifier.win_dur
    assert speech(timeline(signal, rate, classifier))
    assert timeline(np.zeros(1), RATE, classifier).duration == 1 / RATE
    with pytest.raises(AudioError, match="no samples"):
        timeline(np.zeros(0), RATE, classifier)


def test_music_is_hardly_ever_taken_for_speech(classifier: Classifier) -> None:
    time = np.arange(20 * RATE) / RATE
    chord = sum(0.1 * np.sin(2 * np.pi * hertz * time) for hertz in (130.8, 261.6, 329.6, 392.0))
    beat = np.exp(-20 * np.mod(time, 0.5)) * np.random.default_rng(0).standard_normal(len(time))
    music = timeline(chord + 0.5 * beat, RATE, classifier)
    assert music.durations()[NO_SPEECH] > 0.9 * music.duration


def test_clipping_is_measured_and_reported(
    spoken: Spoken, talk: Path, found: Timeline, classifier: Classifier, tmp_path: Path
) -> None:
    signal = np.clip(10 * spoken[0], -1, 1)
    clipped = timeline(signal, RATE, classifier)
    assert clipped.clipped == pytest.approx((np.abs(signal) == 1).mean(), abs=1e-3)
    assert clipped.clipped > 0.01 > found.clipped
    seconds = [sum(s.duration for s in speech(one)) for one in (clipped, found)]
    assert seconds[0] == pytest.approx(seconds[1], rel=0.2)
    soundfile.write(tmp_path / "loud.wav", signal, RATE)
    for path, warned in {tmp_path / "loud.wav": True, talk: False}.items():
        result = RUNNER.invoke(app, ["timeline", str(path)])
        assert result.exit_code == 0
        assert ("at full scale" in result.stderr) == warned


def test_a_stream_cannot_change_its_rate(classifier: Classifier) -> None:
    stream = TimelineStream(classifier)
    stream.push(np.zeros(100), 8000)
    with pytest.raises(AudioError, match="began at 8000 Hz and continues at 16000 Hz"):
        stream.push(np.zeros(100), 16_000)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"hop_dur": 9.0}, r"hop_dur 9\.0 s is longer than win_dur 2\.0 s"),
        ({"margin": 2.0}, "must lie in"),
        ({"step_dur": 0.0}, "must be positive"),
    ],
)
def test_bad_settings_are_refused(settings: dict[str, float], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        TimelineSettings(**settings)


@pytest.mark.parametrize(("wanted", "longest"), [(1.2, 1.2), (9.0, 3.5)])
def test_windows_are_as_long_as_configured_and_as_the_model_allows(
    spoken: Spoken,
    classifier: Classifier,
    monkeypatch: pytest.MonkeyPatch,
    wanted: float,
    longest: float,
) -> None:
    lengths: list[int] = []
    predict = classifier.windows

    def windows(signals: np.ndarray) -> np.ndarray:
        lengths.append(signals.shape[1])
        return predict(signals)

    monkeypatch.setattr(classifier, "windows", windows)
    sentence = np.tile(spoken[0][RATE : 2 * RATE], 6)
    timeline(sentence, RATE, classifier, TimelineSettings(win_dur=wanted, hop_dur=1.0))
    assert max(lengths) == round(longest * classifier.sampling_rate)


def segment(*labels: int, strength: float = 0.8) -> list[Segment]:
    """Segments of steps in which these labels have the probability `strength`."""
    rows = []
    for step, label in enumerate(labels):
        row = np.full(3, (1 - strength) / 2)
        row[label] = strength
        rows.append((step * STEP, row))
    settings = TimelineSettings(min_dur=0.3, uncertain_below=0.5)
    region = SpeechRegion(0, round(len(labels) * STEP * RATE))
    return Segmenter(settings, ("a", "b", "c")).push(region, rows)


def test_a_new_label_must_last_and_then_begins_where_it_first_led() -> None:
    flicker = segment(*[0] * 10, 1, 1, *[0] * 10)
    assert [(s.label, s.start) for s in flicker] == [("a", 0)]
    change = segment(*[0] * 10, *[1] * 10)
    assert [(s.label, s.start, s.end) for s in change] == [
        ("a", 0, pytest.approx(1.0)),
        ("b", pytest.approx(1.0), pytest.approx(2.0)),
    ]
    assert all(s.duration >= 0.3 for s in segment(*[0] * 4, *[1] * 3, *[2] * 5, 1, *[0] * 9))


def test_a_first_label_that_does_not_last_is_replaced() -> None:
    assert [(s.label, s.start) for s in segment(2, *[0] * 9)] == [("a", 0)]


def test_low_confidence_is_uncertain() -> None:
    (uncertain,) = segment(*[0] * 5, strength=0.4)
    assert uncertain.label == UNCERTAIN
    assert uncertain.confidence == pytest.approx(0.4)


# --- files and the command -------------------------------------------------------------------


def test_a_file_gives_the_timeline_of_its_signal(
    talk: Path, found: Timeline, classifier: Classifier
) -> None:
    (streamed,) = timelines_of_file(talk, classifier)
    assert streamed.segments == found.segments


def test_each_channel_has_its_own_timeline(
    spoken: Spoken, classifier: Classifier, tmp_path: Path
) -> None:
    stereo = np.stack([spoken[0], np.zeros_like(spoken[0])], 1)
    soundfile.write(tmp_path / "call.wav", stereo, RATE)
    voice, silence = timelines_of_file(tmp_path / "call.wav", classifier, separate=True)
    assert speech(voice)
    assert not speech(silence)
    assert (voice.channel, silence.channel) == (1, 2)


@pytest.mark.parametrize(("suffix", "channels"), [("flac", 2), ("mp4", 1)])
def test_progress_ends_at_the_duration_that_the_header_states(
    spoken: Spoken, classifier: Classifier, suffix: str, channels: int
) -> None:
    signal = np.tile(spoken[0], 4)
    if suffix == "flac":
        stream = io.BytesIO()
        soundfile.write(stream, np.stack([signal] * channels, 1), RATE, format="FLAC")
        recording = stream.getvalue()
    else:
        recording = through_ffmpeg(signal, suffix, "aac", RATE)
    reports: list[tuple[float, float | None]] = []
    timelines = timelines_of_file(
        recording, classifier, separate=True, progress=lambda *report: reports.append(report)
    )
    duration = len(signal) / RATE
    assert [one.duration for one in timelines] == pytest.approx([duration] * channels, abs=0.15)
    done = [seconds for seconds, _ in reports]
    assert done == sorted(done)
    assert len(done) > 2 * channels
    assert done[-1] == pytest.approx(channels * duration, abs=0.3)
    for _, total in reports:
        assert total == pytest.approx(channels * duration, abs=0.3)


def test_a_truncated_file_keeps_what_could_be_read(
    spoken: Spoken, talk: Path, classifier: Classifier, tmp_path: Path
) -> None:
    path = tmp_path / "cut.wav"
    path.write_bytes(talk.read_bytes()[: talk.stat().st_size // 2])
    (half,) = timelines_of_file(path, classifier)
    assert half.broken is not None
    assert "truncated" in half.broken
    assert half.duration == pytest.approx(len(spoken[0]) / RATE / 2, abs=0.1)
    whole = timeline(spoken[0][: round(half.duration * RATE)], RATE, classifier)
    assert half.segments == whole.segments  # every block before the break is used
    result = RUNNER.invoke(app, ["timeline", str(path)])
    assert result.exit_code == 1
    assert "broke off after" in result.stdout
    assert "truncated" in result.stderr


def test_the_command_prints_a_table(talk: Path) -> None:
    result = RUNNER.invoke(app, ["timeline", str(talk)])
    assert result.exit_code == 0
    assert result.stdout.split()[:4] == ["start", "end", "label", "confidence"]
    assert "no speech" in result.stdout


@pytest.mark.parametrize(
    ("suffix", "content"), [(".srt", "-->"), (".html", "<audio"), (".TextGrid", "IntervalTier")]
)
def test_the_suffix_chooses_the_format(
    talk: Path, tmp_path: Path, suffix: str, content: str
) -> None:
    out = tmp_path / f"talk{suffix}"
    assert RUNNER.invoke(app, ["timeline", str(talk), "--out", str(out)]).exit_code == 0
    assert content in out.read_text()


def test_the_command_does_not_overwrite(talk: Path, tmp_path: Path) -> None:
    out = tmp_path / "talk.csv"
    out.write_text("mine")
    arguments = ["timeline", str(talk), "--out", str(out)]
    assert isinstance(RUNNER.invoke(app, arguments).exception, OutputError)
    assert out.read_text() == "mine"
    assert RUNNER.invoke(app, [*arguments, "--force"]).exit_code == 0
    assert out.read_text().startswith("start,")


def test_the_command_writes_a_file_for_each_channel(spoken: Spoken, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "call.wav", np.stack([spoken[0]] * 2, 1), RATE)
    arguments = ["timeline", str(tmp_path / "call.wav"), "--channels", "separate"]
    assert RUNNER.invoke(app, [*arguments, "--out", str(tmp_path / "c.csv")]).exit_code == 0
    assert (tmp_path / "c-1.csv").read_text() == (tmp_path / "c-2.csv").read_text()


def test_empty_pieces_of_a_stream_change_nothing(classifier: Classifier) -> None:
    stream = TimelineStream(classifier)
    assert stream.push(np.zeros(0), RATE) == []
    stream.push(np.zeros(RATE), RATE)
    assert stream.push([], RATE) == []
    assert [segment.duration for segment in stream.close()] == [1.0]


def test_rows_of_steps_that_are_no_whole_number_of_samples(classifier: Classifier) -> None:
    settings = TimelineSettings(step_dur=0.0333)
    found = timeline(np.zeros(10 * RATE), RATE, classifier, settings)
    assert len(found.probabilities) == int(np.ceil(10 / 0.0333))
    with pytest.raises(ConfigError, match=r"pad_dur is -0\.1 s"):
        TimelineSettings(pad_dur=-0.1)
