"""Scores by group, over folds and with corruptions; the sections and meaning of a report."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from scipy import stats

from audio_emotion import Classifier, Emotion
from audio_emotion.datasets import Clip, Corpus
from audio_emotion.datasets.provenance import FittedClips, Provenance
from audio_emotion.errors import CorpusError
from audio_emotion.evaluation import robustness
from audio_emotion.evaluation.analysis import analyse, gap, group, mistakes, restrict, scores
from audio_emotion.evaluation.evaluate import select
from audio_emotion.evaluation.folds import as_text, over_folds
from audio_emotion.evaluation.report import LinePlot, sections, title

LABELS = ["happy", "sad"]
OTHER = {"sad": "happy", "happy": "sad"}


def row(label: str, predicted: str, speaker: str, confidence: float = 0.6) -> dict[str, Any]:
    probabilities = {predicted: 0.6, OTHER[predicted]: 0.2, "calm": 0.2}
    return {"clip": f"{speaker}{label}{predicted}", "label": label, "predicted": predicted,
            "confidence": confidence, "confident": False, "probabilities": probabilities,
            "speaker": speaker}  # fmt: skip


@pytest.mark.parametrize("count", [2, 6])
def test_interval_over_folds_is_that_of_student(count: int) -> None:
    values = np.random.default_rng(count).random(count).tolist()
    found = over_folds(values)
    low, high = stats.t.interval(0.95, count - 1, loc=np.mean(values), scale=stats.sem(values))
    assert found["mean"] - found["half_width"] == pytest.approx(low, rel=1e-3)
    assert found["mean"] + found["half_width"] == pytest.approx(high, rel=1e-3)


def test_one_fold_has_no_interval() -> None:
    assert over_folds([0.5]) == {"mean": 0.5, "deviation": None, "half_width": None}
    result = {
        "over_folds": {"uar": over_folds([0.5])}, "folds": {"1": {}}, "protocol": "known",
        "labels": ["sad", "calm"], "scores": {"predicted": [0.25, 0.75]},
        "calibration": {"ece": 0.1, "confident_share": 0.5, "confident_accuracy": 0.8},
    }  # fmt: skip
    assert as_text({"C": result}) == (
        "C: uar 50.00 % over 1 fold\n"
        "  predicted calm 75.0 %, sad 25.0 %; ECE 10.0 %; "
        "50.0 % confident, of these 80.0 % correct\n"
        "  known"
    )


def test_restricted_probabilities_are_scaled_in_proportion() -> None:
    (found,) = restrict([row("sad", "happy", "a")], LABELS)
    assert found["probabilities"] == pytest.approx({"happy": 0.75, "sad": 0.25})
    assert found["confidence"] == pytest.approx(0.75)


def test_corruptions_are_measured_by_channel() -> None:
    rows = [row("sad", "sad", "a") | {"channel": "speech"},
            row("sad", "happy", "a") | {"channel": "song"},
            row("happy", "happy", "a") | {"channel": "song"}]  # fmt: skip
    (table, _, cells) = robustness.as_markdown(
        [robustness.measured("clean", rows, LABELS, None)]
    ).splitlines()
    assert table.endswith("| UAR % | points of UAR lost | UAR of song % | UAR of speech % |")
    assert cells == "| clean | 66.67 | 75.00 | 0.00 | 50.00 | 100.00 |"


def test_groups_gap_and_mistakes() -> None:
    rows = [row("sad", "sad", "a"), row("happy", "happy", "a"), row("sad", "happy", "b", 0.9),
            row("happy", "sad", "b", 0.7)]  # fmt: skip
    found = group(rows, LABELS, "speaker")
    assert [(r["value"], r["clips"], r["uar"]) for r in found] == [("a", 2, 1.0), ("b", 2, 0.0)]
    assert gap(found) == 1
    assert [m["confidence"] for m in mistakes(rows)] == [0.9, 0.7]
    assert group(rows, LABELS, "gender") == []


def test_intervals_over_speakers_are_wider_where_their_clips_correlate() -> None:
    rows = [
        row(label, label if int(speaker) % 2 else OTHER[label], speaker)
        for speaker in map(str, range(8))
        for label in LABELS * 20
    ]
    clustered = scores(rows, LABELS)
    alone = scores([r | {"speaker": None} for r in rows], LABELS)
    assert clustered["clustered_by_speaker"]
    assert not alone["clustered_by_speaker"]

    def width(found: dict[str, Any]) -> float:
        low, high = found["accuracy"]["interval"]
        return float(high - low)

    assert width(clustered) > 3 * width(alone)


def test_sections_hold_tables_and_plots() -> None:
    rows = [row("sad", "sad", "a"), row("happy", "sad", "b", 0.9)]
    result = analyse(rows, LABELS) | {
        "model": "m.onnx", "corpus": "RAVDESS", "split": "test", "protocol_name": "random",
        "clips": 392, "errors": [{"clip": "x", "error": "empty"}],
    }  # fmt: skip
    assert title(result) == "m.onnx on RAVDESS, test split"
    found = {section.title: section for section in sections(result)}
    assert [name.split(" (")[0] for name in found] == [
        "Scores", "Published on this protocol", "Emotions", "Confusion",
        "Confusion of the reference system", "Calibration", "Accuracy of confident predictions",
        "By speaker", "Most confident mistakes", "Unreadable clips",
    ]  # fmt: skip
    assert found["Scores"].rows[0][:2] == ["accuracy", "50.00"]
    assert found["Confusion"].rows == [["happy", "0 (0 %)", "1 (100 %)"],
                                       ["sad", "0 (0 %)", "1 (100 %)"]]  # fmt: skip
    assert found["Confusion"].shades == [[0, 1], [0, 1]]
    plot = found["Calibration"].plot
    assert isinstance(plot, LinePlot)
    assert plot.points == [(0.6, 1.0), (0.9, 0.0)]
    for change in ({"protocol_name": "actors"}, {"clips": 16}):  # nothing to compare with
        other = sections(result | change)
        assert not [section for section in other if "ublished" in section.title]


def corpus(folder: Path, *actors: int, text: str = "") -> Corpus:
    """Make a RAVDESS clip of each actor, whose content is its name and `text`."""
    folder.mkdir()
    clips = []
    for actor in actors:
        path = folder / f"03-01-05-01-01-01-{actor:02}.wav"
        path.write_text(path.name + text)
        clips.append(Clip(path.stem, Emotion.ANGRY, path, speaker=f"{actor:02}"))
    return Corpus("RAVDESS", tuple(clips))


def fitted_on(found: Corpus, *splits: str, init: Provenance | None = None) -> Classifier:
    """Stand in for a model; the actors of `found` are in `splits`, in order."""
    digests = [digest or "" for digest in found.digests()]
    own = Provenance.of(found.clips, digests, splits).inheriting(*([init] if init else []))
    info = SimpleNamespace(fitted=FittedClips(own.compact()))
    return cast(Classifier, SimpleNamespace(path=Path("m.onnx"), info=info))


def test_selection_says_what_a_score_means(tmp_path: Path) -> None:
    original = corpus(tmp_path / "original", 1, 2, 3, 4)
    copies = corpus(tmp_path / "copies", 1, 2, 3, 4, text="re-encoded")
    mixed = Corpus("RAVDESS", (original.clips[0], *copies.clips[1:]))
    model = fitted_on(original, "train", "train", "val", "test")
    assert select(model, original, "all")[1].startswith("2 of these 4 clips were trained on: ")
    words = "2 of these 4 clips were trained on (1 recognised by name only: re-encoded copies): "
    assert select(model, mixed, "all")[1].startswith(words)
    clips, words = select(model, copies, "test")
    assert [clip.speaker for clip in clips] == ["04"]
    assert words == "held-out clips, unseen speakers: none of 1 speakers was in training"
    others = Corpus("RAVDESS", copies.clips[2:3])
    words = "1 of these 1 clips chose the weights (1 recognised by name only: re-encoded copies): "
    assert select(model, others, "all")[1].startswith(words)
    assert select(model, Corpus("RAVDESS", copies.clips[3:]), "all")[1] == (
        "none of these clips was trained on"
    )


def test_selection_knows_what_initial_weights_were_fitted_on(tmp_path: Path) -> None:
    found = corpus(tmp_path / "c", 1, 2, 3)
    init = Provenance.of(found.clips, [clip.digest() for clip in found.clips], ["train", "", ""])
    model = fitted_on(found, "test", "train", "val", init=init)
    assert select(model, found, "test")[1].startswith("1 of these 1 clips were trained on: ")


def test_missing_splits_are_refused(tmp_path: Path) -> None:
    found = corpus(tmp_path / "c", 1, 2)
    model = fitted_on(found, "train", "train")
    with pytest.raises(CorpusError, match="no split 'exam'"):
        select(model, found, "exam")
    with pytest.raises(CorpusError, match=r"m\.onnx has no test split"):
        select(model, found, "test")
    with pytest.raises(CorpusError, match="holds 1 of the 2 clips in the train split"):
        select(model, Corpus("RAVDESS", found.clips[:1]), "train")
