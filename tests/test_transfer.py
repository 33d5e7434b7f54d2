"""Calibration across corpora: what models get wrong elsewhere is found and put right."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from audio_emotion.errors import CorpusError, TrainingError
from audio_emotion.evaluation.calibration import softmax
from audio_emotion.evaluation.transfer import Transfer
from audio_emotion.inference.model_file import Calibration

LABELS = ["calm", "happy", "sad", "angry"]


def result(factor: float, seed: int, clips: int = 3000) -> dict[str, Any]:
    """Return predictions whose logits are `factor` times as large as the truth warrants."""
    rng = np.random.default_rng(seed)
    logits = 2 * rng.standard_normal((clips, len(LABELS)))
    truth = [rng.choice(LABELS, p=chances) for chances in softmax(logits)]
    rows = [
        {"label": label, "probabilities": dict(zip(LABELS, chances, strict=True))}
        for label, chances in zip(truth, softmax(factor * logits), strict=True)
    ]
    return {"labels": LABELS, "predictions": rows}


@pytest.fixture(scope="module")
def transfer() -> Transfer:
    return Transfer.measure({"A": result(2.0, 1), "B": result(2.0, 2), "C": result(2.0, 3)})


def test_the_factor_that_corpora_share_is_found(transfer: Transfer) -> None:
    assert transfer.factor == pytest.approx(2.0, rel=0.05)
    for found in transfer.corpora.values():
        assert found.ece_before > 0.1
        assert found.ece_after < 0.03
        assert found.accuracy == pytest.approx(0.9, abs=0.03)
    assert "A, by the others: ECE" in transfer.in_words()


def test_a_corpus_is_corrected_by_the_others_only() -> None:
    found = Transfer.measure({"A": result(4.0, 1), "B": result(1.0, 2)})
    assert found.factor == pytest.approx(2.0, rel=0.05)  # geometric mean: each corpus counts once
    assert found.corpora["A"].ece_after == pytest.approx(found.corpora["A"].ece_before, abs=0.02)
    assert found.corpora["B"].ece_after > found.corpora["B"].ece_before


def test_a_size_gives_a_corpus_no_more_weight() -> None:
    found = Transfer.measure({"A": result(4.0, 1, 500), "B": result(1.0, 2, 8000)})
    assert found.factor == pytest.approx(2.0, rel=0.1)


def test_a_model_is_corrected_once(transfer: Transfer) -> None:
    corrected = transfer.apply(Calibration(temperature=1.5, threshold=0.6, clips=10))
    assert corrected.temperature == pytest.approx(1.5 * transfer.factor)
    assert corrected.threshold == transfer.threshold
    assert corrected.chosen_on == "clips of corpora left out: A, B, C"
    with pytest.raises(TrainingError, match="already"):
        transfer.apply(corrected)


def test_one_corpus_is_not_enough() -> None:
    with pytest.raises(CorpusError, match="needs two corpora"):
        Transfer.measure({"A": result(2.0, 1)})


def test_a_file_is_read_back_and_another_is_refused(transfer: Transfer, tmp_path: Path) -> None:
    path = tmp_path / "calibration.json"
    path.write_text(transfer.model_dump_json())
    assert Transfer.load(path) == transfer
    for text in ('{"factor": 0}', "no JSON", '{"factor": NaN}', transfer.model_dump_json() + "x"):
        path.write_text(text)
        with pytest.raises(TrainingError, match="is no calibration across corpora"):
            Transfer.load(path)
    with pytest.raises(TrainingError, match="missing"):
        Transfer.load(tmp_path / "missing.json")
