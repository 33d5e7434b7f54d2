"""The live command: the timeline of the file, and errors that say what is missing."""

import queue
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import soundfile

from audio_emotion import Classifier, TimelineStream, timeline
from audio_emotion.audio import Signal
from audio_emotion.cli.listen import Microphone, follow, listen, open_microphone
from audio_emotion.errors import AudioError, OutputError
from audio_emotion.timeline import Segment

SAMPLE = Path(__file__).parents[1] / "samples" / "slow_low.flac"


def test_blocks_until_ctrl_c_give_the_timeline_of_the_file() -> None:
    signal, rate = soundfile.read(SAMPLE, dtype="float32")
    classifier = Classifier()
    shown: list[Segment] = []

    def blocks() -> Iterator[tuple[Microphone, Signal]]:
        source = Microphone(rate, queue.Queue())
        rng, at = np.random.default_rng(0), 0
        while at < len(signal):
            size = int(rng.integers(1, 5000))
            yield source, signal[at : at + size]
            at += size
        raise KeyboardInterrupt

    found = follow(TimelineStream(classifier), blocks(), lambda s, m, new: shown.extend(new))
    expected = timeline(signal, rate, classifier)
    assert found.segments == expected.segments
    np.testing.assert_array_equal(found.probabilities, expected.probabilities)
    assert set(shown) <= set(found.segments)


def fake(monkeypatch: pytest.MonkeyPatch, **parts: object) -> None:
    module = ModuleType("sounddevice")
    module.PortAudioError = type("PortAudioError", (Exception,), {})  # type: ignore[attr-defined]
    for name, part in parts.items():
        setattr(module, name, part)
    monkeypatch.setitem(sys.modules, "sounddevice", module)


def test_a_device_delivers_blocks_and_counts_lost_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    class Stream:
        def __init__(self, rate: int, size: int, device: object, channels: int, kind: str,
                     callback: object) -> None:  # fmt: skip
            for overflow in (False, True):
                callback(np.full((size, 1), 0.5), size, None,  # type: ignore[operator]
                         SimpleNamespace(input_overflow=overflow))  # fmt: skip

        def __enter__(self) -> "Stream":
            return self

        def __exit__(self, *_: object) -> None: ...

    fake(monkeypatch, InputStream=Stream,
         query_devices=lambda device, kind: {"default_samplerate": 8000.0})  # fmt: skip
    microphone = open_microphone(None)
    source, block = next(microphone)
    assert source.sampling_rate == 8000
    assert block.shape == (800,)
    assert (source.lost, source.late) == (1, pytest.approx(0.1))


def test_a_missing_device_or_library_is_an_error_that_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def nothing(device: object, kind: object) -> None:
        raise ValueError("No input device matching")

    fake(monkeypatch, query_devices=nothing)
    with pytest.raises(AudioError, match="no microphone to listen to"):
        next(open_microphone(None))
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    with pytest.raises(AudioError, match=r"audio-emotion-classifier\[live\]"):
        next(open_microphone(None))


@pytest.mark.parametrize("name", ["talk.docx", "talk.html"])
def test_formats_that_cannot_be_saved_are_refused_before_listening(name: str) -> None:
    with pytest.raises(OutputError, match="belongs to no format"):
        listen(save=Path(name))
