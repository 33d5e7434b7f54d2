"""Evaluation by the users' path: the right clips, honest words, reports that can be read back."""

from __future__ import annotations

import json
import shutil
from html.parser import HTMLParser
from pathlib import Path

import pytest
import soundfile
from sklearn.metrics import accuracy_score, f1_score

from audio_emotion import Classifier
from audio_emotion.classifier import default_model
from audio_emotion.corpora import load_corpus
from audio_emotion.corpora.corpus import heard
from audio_emotion.corpora.heard import all_heard
from audio_emotion.corpora.split import read_split
from audio_emotion.errors import CorpusError, OutputError
from audio_emotion.evaluation.evaluate import evaluate
from audio_emotion.evaluation.report import as_html, as_markdown, write_report
from audio_emotion.lab.earlier import heard_by
from audio_emotion.lab.export import export, export_weights
from audio_emotion.lab.train import train
from conftest import RATE, voice
from test_model import model as model
from test_model import run as run
from test_train import pytestmark as pytestmark
from test_train import tiny


def test_test_part_is_the_one_held_out(model: Path, run: Path, ravdess: Path) -> None:
    result = evaluate(Classifier(model), load_corpus(ravdess), "test")
    held_out = [clip for clip, part in read_split(run / "split.csv").items() if part == "test"]
    assert sorted(row["clip"] for row in result["predictions"]) == sorted(held_out)
    assert "known speakers" in result["protocol"]


def test_scores_are_those_of_the_predictions(model: Path, ravdess: Path) -> None:
    result = evaluate(Classifier(model), load_corpus(ravdess))
    truth = [row["truth"] for row in result["predictions"]]
    answers = [row["answer"] for row in result["predictions"]]
    scores = result["scores"]
    assert scores["accuracy"]["value"] == pytest.approx(accuracy_score(truth, answers))
    assert scores["macro_f1"]["value"] == pytest.approx(
        f1_score(truth, answers, average="macro", labels=result["labels"], zero_division=0)
    )
    low, high = scores["accuracy"]["interval"]
    assert low <= scores["accuracy"]["value"] <= high
    assert "no measure of anything" in result["protocol"]


def test_another_corpus_has_no_test_part_of_this_model(
    model: Path, run: Path, ravdess: Path, tmp_path: Path
) -> None:
    shutil.copytree(ravdess, tmp_path / "copy")
    trained = next(n for n, part in read_split(run / "split.csv").items() if part == "train")
    next((tmp_path / "copy").rglob(f"{trained}.wav")).unlink()
    changed = load_corpus(tmp_path / "copy")
    with pytest.raises(CorpusError, match=r"of the \d+ clips in the train part of model\.onnx"):
        evaluate(Classifier(model), changed, "train")


def test_what_the_model_heard_is_known_under_any_name(
    model: Path, run: Path, ravdess: Path, tmp_path: Path
) -> None:
    parts = read_split(run / "split.csv")
    clips = load_corpus(ravdess).clips
    for part, words in [("train", "1 of these 2 clips were trained on"), ("val", "flatter"),
                        ("test", "none of these clips was trained on")]:  # fmt: skip
        folder = tmp_path / part / "sad"
        folder.mkdir(parents=True)
        clip = next(clip for clip in clips if parts[clip.name] == part)
        shutil.copy(clip.path, folder / "renamed.wav")
        soundfile.write(folder / "new.wav", voice(), RATE)
        assert words in evaluate(Classifier(model), load_corpus(tmp_path / part))["protocol"]


def test_what_a_model_began_with_is_not_forgotten(run: Path, ravdess: Path, tmp_path: Path) -> None:
    """Three trainings after one another; the last tests clips that the first was trained on."""
    corpus, options = load_corpus(ravdess), tiny("train.epochs=0")
    same = read_split(run / "split.csv")
    train(
        corpus, options, tmp_path / "second", init=[run], parts=[same[c.name] for c in corpus.clips]
    )
    export_weights(tmp_path / "second", tmp_path / "second.safetensors")
    tested = [name for name, part in same.items() if part == "train"][:3]
    parts = ["test" if clip.name in tested else "train" for clip in corpus.clips]
    parts[parts.index("train")] = "val"
    for number, init in enumerate([tmp_path / "second", tmp_path / "second.safetensors"]):
        third = tmp_path / f"third-{number}"
        with pytest.warns(UserWarning, match="trained on 3 of the 3 clips in the test part"):
            train(corpus, options, third, init=[init], parts=parts)
        export(third, third / "model.onnx")
        result = evaluate(Classifier(third / "model.onnx"), corpus, "test")
        assert result["protocol"] == "3 of these 3 clips were trained on: no measure of anything"
        assert not result["protocol_name"]  # no published figure stands beside it


def test_the_shipped_weights_say_what_they_heard() -> None:
    data = json.loads(Classifier().metadata["training_data"])
    assert heard_by(default_model().with_suffix(".safetensors")) == all_heard(data)
    assert len(heard(all_heard(data)["train"])) > 7000


def test_a_corpus_with_fewer_labels_can_be_answered_among_them(
    model: Path, ravdess: Path, tmp_path: Path
) -> None:
    for number, label in enumerate(["sad", "happy"]):
        (tmp_path / "two" / label).mkdir(parents=True)
        soundfile.write(tmp_path / "two" / label / "a.wav", voice(pitch=100 + 90 * number), RATE)
    two = load_corpus(tmp_path / "two")
    result = evaluate(Classifier(model), two, shared=True)
    assert result["labels"] == ["happy", "sad"]
    assert {row["answer"] for row in result["predictions"]} <= {"happy", "sad"}
    assert "never as neutral or calm" in result["protocol"]
    for row in result["predictions"]:
        assert sum(row["probabilities"].values()) == pytest.approx(1)
    shutil.rmtree(tmp_path / "two" / "sad")
    with pytest.raises(CorpusError, match="among one label every answer is right"):
        evaluate(Classifier(model), load_corpus(tmp_path / "two"), shared=True)


def test_an_unknown_part_and_an_unreadable_clip(model: Path, ravdess: Path, tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="no part 'exam'"):
        evaluate(Classifier(model), load_corpus(ravdess), "exam")
    shutil.copytree(ravdess, tmp_path / "copy")
    bad = next((tmp_path / "copy").rglob("*.wav"))
    bad.write_bytes(b"")
    result = evaluate(Classifier(model), load_corpus(tmp_path / "copy"))
    assert result["clips"] == 48
    assert [entry["clip"] for entry in result["errors"]] == [bad.stem]


class Outline(HTMLParser):
    """Tags that are open, and references to anything outside the page."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.outside: list[str] = []
        self.cells = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.cells += tag == "td"
        self.outside += [value or "" for name, value in attrs if name in {"src", "href"}]
        if tag not in {"meta"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_reports_are_complete_and_stand_alone(model: Path, ravdess: Path, tmp_path: Path) -> None:
    result = evaluate(Classifier(model), load_corpus(ravdess), "test")
    write_report(result, tmp_path / "report")
    assert json.loads((tmp_path / "report" / "report.json").read_text()) == result
    text = (tmp_path / "report" / "report.md").read_text()
    assert text == as_markdown(result)
    assert "82.48" in text  # the published accuracy, beside ours
    outline = Outline()
    outline.feed((tmp_path / "report" / "report.html").read_text())
    assert not outline.open
    assert not outline.outside
    assert outline.cells > 2 * 64
    with pytest.raises(OutputError, match="exists already"):
        write_report(result, tmp_path / "report")


def test_names_cannot_inject_html(model: Path, ravdess: Path) -> None:
    result = evaluate(Classifier(model), load_corpus(ravdess), "test")
    result["corpus"] = "<script>alert(1)</script>"
    assert "<script>" not in as_html(result)
