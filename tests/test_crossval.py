"""Cross-validation: every fold once, resumable, one report; and what a condition costs."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import stats

from audio_emotion.corpora import load_corpus
from audio_emotion.errors import TrainingError
from audio_emotion.evaluation import robustness
from audio_emotion.evaluation.analysis import gap, group, mistakes, restrict, scores
from audio_emotion.evaluation.crossval import as_text, over_folds, summarize
from audio_emotion.evaluation.protocols import Protocol, build
from audio_emotion.evaluation.report import as_html, as_markdown
from audio_emotion.lab.checkpoints import load
from audio_emotion.lab.crossval import crossval
from test_train import pytestmark as pytestmark
from test_train import tiny

OPTIONS = {"enable_progress_bar": False, "accelerator": "cpu"}
CONFIG = tiny("train.epochs=1")


@pytest.fixture(scope="module")
def protocol(ravdess: Path) -> Protocol:
    return build("grouped-3", load_corpus(ravdess))


@pytest.fixture(scope="module")
def out(ravdess: Path, protocol: Protocol, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("crossval") / "out"
    crossval(load_corpus(ravdess), protocol, CONFIG, folder, folds=["2"], trainer_options=OPTIONS)
    return folder


def test_folds_that_are_done_are_kept_and_the_rest_is_made(
    ravdess: Path, protocol: Protocol, out: Path
) -> None:
    answers = out / "fold-2" / "answers.json"
    before = answers.stat().st_mtime_ns
    corpus = load_corpus(ravdess)
    rows = crossval(corpus, protocol, CONFIG, out, folds=["1"], trainer_options=OPTIONS)
    assert list(rows) == ["1", "2"]
    assert answers.stat().st_mtime_ns == before
    for fold in protocol.folds[:2]:
        tested = sorted(corpus.clips[n].name for n in fold.members("test"))
        assert sorted(row["clip"] for row in rows[fold.name]) == tested
        heard = json.loads((out / f"fold-{fold.name}" / "data.json").read_text())
        assert not set(heard["speakers"]["train"]) & {row["speaker"] for row in rows[fold.name]}
        assert heard["protocol"].startswith("grouped-3 1, fold")


def test_another_configuration_or_fold_is_refused(
    ravdess: Path, protocol: Protocol, out: Path, tmp_path: Path
) -> None:
    corpus = load_corpus(ravdess)
    with pytest.raises(TrainingError, match="begun with another config"):
        crossval(corpus, protocol, tiny("train.epochs=2"), out)
    with pytest.raises(TrainingError, match="begun with another protocol"):
        crossval(corpus, build("grouped-2", corpus), CONFIG, out)
    with pytest.raises(TrainingError, match="has no fold '7'"):
        crossval(corpus, protocol, CONFIG, out, folds=["7"])
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "notes.txt").write_text("mine")
    with pytest.raises(TrainingError, match="is no cross-validation"):
        crossval(corpus, protocol, CONFIG, tmp_path / "full")


def test_folds_go_on_from_another_crossvalidations_weights(
    ravdess: Path, protocol: Protocol, out: Path, tmp_path: Path
) -> None:
    corpus = load_corpus(ravdess)
    begin = partial(crossval, corpus, protocol, CONFIG, trainer_options=OPTIONS)
    begin(tmp_path / "more", folds=["2"], init=[out])
    before = load(out / "fold-2" / "checkpoints" / "best.safetensors")["state_dict"]
    began = load(tmp_path / "more" / "fold-2" / "init.safetensors")["state_dict"]
    judged = {name: value for name, value in before.items() if name.startswith("network.")}
    assert judged
    assert all(torch.equal(began[name], value) for name, value in judged.items())
    facts = json.loads((tmp_path / "more" / "protocol.json").read_text())
    assert facts["init"] == [json.loads((out / "protocol.json").read_text())]
    with pytest.raises(TrainingError, match="begun with another init"):
        begin(tmp_path / "more")
    with pytest.raises(TrainingError, match="fold-3 is no finished fold"):
        begin(tmp_path / "unfinished", folds=["3"], init=[out])
    with pytest.raises(TrainingError, match=r"no protocol\.json"):
        begin(tmp_path / "nowhere", folds=["2"], init=[tmp_path])
    assert not (tmp_path / "unfinished").exists()


def test_weights_that_may_have_heard_the_test_are_refused(
    ravdess: Path, out: Path, tmp_path: Path
) -> None:
    corpus = load_corpus(ravdess)
    for other in (build("grouped-2", corpus), build("random", corpus, repeats=2)):
        with pytest.raises(TrainingError, match=r"part of .*fold-2 is another than this fold's"):
            crossval(corpus, other, CONFIG, tmp_path / "out", folds=["2"], init=[out])


def test_another_seed_of_random_is_another_split(ravdess: Path, tmp_path: Path) -> None:
    """Else folds of one seed and folds of another would stand in one mean."""
    corpus = load_corpus(ravdess)
    first, second = (build("random", corpus, seed=seed, repeats=2) for seed in (0, 1))
    crossval(corpus, first, CONFIG, tmp_path, folds=["1"], trainer_options=OPTIONS)
    with pytest.raises(TrainingError, match="begun with another split"):
        crossval(corpus, second, CONFIG, tmp_path, folds=["2"], trainer_options=OPTIONS)


def test_the_summary_is_of_the_folds(ravdess: Path, protocol: Protocol, out: Path) -> None:
    corpus = load_corpus(ravdess)
    rows = {"2": json.loads((out / "fold-2" / "answers.json").read_text())}
    results = summarize(rows, corpus, protocol, CONFIG)
    result = results["RAVDESS"]
    accuracy = np.mean([row["truth"] == row["answer"] for row in rows["2"]])
    assert result["over_folds"]["accuracy"]["mean"] == pytest.approx(accuracy)
    assert result["scores"]["accuracy"]["value"] == pytest.approx(accuracy)
    assert "voices never heard in training; 1 of 3 folds" in result["protocol"]
    assert f"accuracy {100 * accuracy:.2f} %" in as_text(results)
    assert "over 1 fold\n" in as_text(results)
    json.dumps(results, allow_nan=False)
    for text in (as_markdown(result), as_html(result)):
        for title in ("Folds", "Calibration", "By gender", "Most confident mistakes"):
            assert title in text
        assert "source system" not in text  # another protocol: not to be compared


def test_what_conditions_cost_is_measured_on_the_folds_own_models(
    ravdess: Path, protocol: Protocol, out: Path
) -> None:
    rows = {"2": json.loads((out / "fold-2" / "answers.json").read_text())}
    found = robustness.compare(
        load_corpus(ravdess), protocol, out, rows, conditions=["weaker-20dB", "telephone"]
    )
    assert [row["condition"] for row in found] == ["clean", "weaker-20dB", "telephone"]
    assert found[0]["uar"] == pytest.approx(scores(rows["2"], list(rows["2"][0]["probabilities"]))
                                            ["uar"]["value"])  # fmt: skip
    assert found[1]["drop"] == pytest.approx(0, abs=0.13)  # a clip of sixteen at most
    assert robustness.as_markdown(found).count("\n") == 5


@pytest.mark.parametrize("count", [2, 6])
def test_interval_over_folds_is_students(count: int) -> None:
    values = np.random.default_rng(count).random(count).tolist()
    found = over_folds(values)
    low, high = stats.t.interval(0.95, count - 1, loc=np.mean(values), scale=stats.sem(values))
    assert found["mean"] - found["half_width"] == pytest.approx(low, rel=1e-3)
    assert found["mean"] + found["half_width"] == pytest.approx(high, rel=1e-3)


def test_one_fold_has_no_interval() -> None:
    assert over_folds([0.5]) == {"mean": 0.5, "deviation": None, "half_width": None}


def row(truth: str, answer: str, speaker: str, confidence: float = 0.6) -> dict[str, object]:
    other = {"sad": "happy", "happy": "sad"}[answer]
    chances = {answer: 0.6, other: 0.2, "calm": 0.2}
    return {"clip": f"{speaker}{truth}{answer}", "truth": truth, "answer": answer,
            "confidence": confidence, "confident": False, "probabilities": chances,
            "speaker": speaker}  # fmt: skip


def test_restricting_answers_shares_the_rest_in_proportion() -> None:
    (found,) = restrict([row("sad", "happy", "a")], ["happy", "sad"])
    assert found["probabilities"] == pytest.approx({"happy": 0.75, "sad": 0.25})
    assert found["confidence"] == pytest.approx(0.75)


def test_conditions_are_told_apart_by_channel() -> None:
    rows = [row("sad", "sad", "a") | {"channel": "speech"},
            row("sad", "happy", "a") | {"channel": "song"},
            row("happy", "happy", "a") | {"channel": "song"}]  # fmt: skip
    (table, _, cells) = robustness.as_markdown(
        [robustness.measured("clean", rows, ["happy", "sad"], None)]
    ).splitlines()
    assert table.endswith("| UAR % | points of UAR lost | UAR of song % | UAR of speech % |")
    assert cells == "| clean | 66.67 | 75.00 | 0.00 | 50.00 | 100.00 |"


def test_groups_gap_and_mistakes() -> None:
    rows = [row("sad", "sad", "a"), row("happy", "happy", "a"), row("sad", "happy", "b", 0.9),
            row("happy", "sad", "b", 0.7)]  # fmt: skip
    found = group(rows, ["happy", "sad"], "speaker")
    assert [(r["value"], r["clips"], r["uar"]) for r in found] == [("a", 2, 1.0), ("b", 2, 0.0)]
    assert gap(found) == 1
    assert [m["confidence"] for m in mistakes(rows)] == [0.9, 0.7]
    assert group(rows, ["happy", "sad"], "gender") == []


def test_intervals_over_speakers_are_wider_than_over_clips_that_rise_together() -> None:
    labels = ["happy", "sad"]
    rows = [
        row(truth, truth if int(speaker) % 2 else {"sad": "happy", "happy": "sad"}[truth], speaker)
        for speaker in map(str, range(8))
        for truth in labels * 20
    ]
    clustered = scores(rows, labels)
    alone = scores([r | {"speaker": None} for r in rows], labels)
    assert clustered["clustered_by_speaker"]
    assert not alone["clustered_by_speaker"]

    def width(found: dict[str, object]) -> float:
        low, high = found["accuracy"]["interval"]  # type: ignore[index]
        return high - low

    assert width(clustered) > 3 * width(alone)
