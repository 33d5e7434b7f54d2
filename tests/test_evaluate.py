"""Evaluation by the users' path: the right clips, and honest words about them."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import soundfile
from sklearn.metrics import accuracy_score, f1_score

from audio_emotion import Classifier
from audio_emotion.datasets import load_corpus
from audio_emotion.errors import CorpusError
from audio_emotion.evaluation.evaluate import evaluate, predict_clips
from audio_emotion.training.export import export
from audio_emotion.training.model import TrainedModel, find_model, load_model
from audio_emotion.training.run import stored_data
from audio_emotion.training.train import train
from conftest import OPTIONS, RATE, TRAINING_WARNINGS, tiny, voice

pytestmark = TRAINING_WARNINGS


def clips_of(run: Path, split: str) -> list[str]:
    return [use.clip for use in stored_data(run).provenance.own(split)]


def test_the_test_split_is_the_one_held_out(
    model: Path, reference_run: Path, ravdess: Path
) -> None:
    result = evaluate(Classifier(model), load_corpus(ravdess), "test")
    held_out = clips_of(reference_run, "test")
    assert sorted(row["clip"] for row in result["predictions"]) == sorted(held_out)
    assert "known speakers" in result["protocol"]
    assert result["protocol_name"] == "random"


def test_scores_are_those_of_the_predictions(model: Path, ravdess: Path) -> None:
    result = evaluate(Classifier(model), load_corpus(ravdess))
    truth = [row["label"] for row in result["predictions"]]
    predicted = [row["predicted"] for row in result["predictions"]]
    scores = result["scores"]
    assert scores["accuracy"]["value"] == pytest.approx(accuracy_score(truth, predicted))
    assert scores["macro_f1"]["value"] == pytest.approx(
        f1_score(truth, predicted, average="macro", labels=result["labels"], zero_division=0)
    )
    low, high = scores["accuracy"]["interval"]
    assert low <= scores["accuracy"]["value"] <= high
    assert "were trained on" in result["protocol"]


def test_a_split_must_be_whole(
    model: Path, reference_run: Path, ravdess: Path, tmp_path: Path
) -> None:
    shutil.copytree(ravdess, tmp_path / "copy")
    next((tmp_path / "copy").rglob(f"{clips_of(reference_run, 'train')[0]}.wav")).unlink()
    changed = load_corpus(tmp_path / "copy")
    with pytest.raises(CorpusError, match=r"of the \d+ clips in the train split of model\.onnx"):
        evaluate(Classifier(model), changed, "train")


def test_clips_of_training_are_recognised_under_any_name_and_in_any_encoding(
    model: Path, reference_run: Path, ravdess: Path, tmp_path: Path
) -> None:
    clips = {clip.name: clip for clip in load_corpus(ravdess).clips}
    for split, words in [("train", "1 of these 2 clips were trained on: "),
                         ("val", "1 of these 2 clips chose the weights: "),
                         ("test", "none of these clips was trained on")]:  # fmt: skip
        folder = tmp_path / split / "sad"
        folder.mkdir(parents=True)
        clip = clips[clips_of(reference_run, split)[0]]
        shutil.copy(clip.path, folder / "renamed.wav")
        soundfile.write(folder / "new.wav", voice(), RATE)
        found = evaluate(Classifier(model), load_corpus(tmp_path / split))
        assert words in found["protocol"]
    for clip in clips.values():
        (tmp_path / "flac").mkdir(exist_ok=True)
        soundfile.write(tmp_path / "flac" / f"{clip.name}.flac", *soundfile.read(clip.path))
    encoded = load_corpus(tmp_path / "flac")
    trained = len(clips_of(reference_run, "train"))
    words = f"{trained} of these 49 clips were trained on ({trained} recognised by name only"
    assert words in evaluate(Classifier(model), encoded)["protocol"]
    again = evaluate(Classifier(model), encoded, "test")
    assert [row["clip"] for row in again["predictions"]] == clips_of(reference_run, "test")


def test_what_a_model_was_initialised_from_is_not_forgotten(
    reference_run: Path, ravdess: Path, tmp_path: Path
) -> None:
    """Two trainings in a row; the second tests clips that the first was trained on."""
    corpus, config = load_corpus(ravdess), tiny("train.epochs=1")
    tested = clips_of(reference_run, "train")[:3]
    splits = ["test" if clip.name in tested else "train" for clip in corpus.clips]
    splits[splits.index("train")] = "val"
    run = tmp_path / "second"
    with pytest.warns(UserWarning, match="trained on 3 of the 3 clips in the test split"):
        train(corpus, config, run, init=find_model(reference_run), splits=splits,
              trainer_options=OPTIONS)  # fmt: skip
    # And a third, from the second's weights alone, hands it on.
    second = load_model(run / "model.safetensors")
    provenance = second.data.provenance.inheriting(second.data.provenance)
    assert {use.clip for use in provenance.uses if use.inherited} >= set(tested)
    export(run, run / "model.onnx")
    result = evaluate(Classifier(run / "model.onnx"), corpus, "test")
    assert result["protocol"].startswith("3 of these 3 clips were trained on")
    assert not result["protocol_name"]  # no published figure stands beside it


def test_a_corpus_with_fewer_labels_can_be_predicted_among_them(
    model: Path, tmp_path: Path
) -> None:
    for number, label in enumerate(["sad", "happy"]):
        (tmp_path / "two" / label).mkdir(parents=True)
        soundfile.write(tmp_path / "two" / label / "a.wav", voice(pitch=100 + 90 * number), RATE)
    two = load_corpus(tmp_path / "two")
    result = evaluate(Classifier(model), two, shared=True)
    assert result["labels"] == ["happy", "sad"]
    assert {row["predicted"] for row in result["predictions"]} <= {"happy", "sad"}
    assert "without neutral and calm" in result["protocol"]
    for row in result["predictions"]:
        assert sum(row["probabilities"].values()) == pytest.approx(1)
    shutil.rmtree(tmp_path / "two" / "sad")
    with pytest.raises(CorpusError, match="among one label every prediction is correct"):
        evaluate(Classifier(model), load_corpus(tmp_path / "two"), shared=True)


def test_an_unknown_split_and_an_unreadable_clip(
    model: Path, ravdess: Path, tmp_path: Path
) -> None:
    with pytest.raises(CorpusError, match="there is no split 'exam'"):
        evaluate(Classifier(model), load_corpus(ravdess), "exam")
    shutil.copytree(ravdess, tmp_path / "copy")
    bad = next((tmp_path / "copy").rglob("*.wav"))
    bad.write_bytes(b"")
    result = evaluate(Classifier(model), load_corpus(tmp_path / "copy"))
    assert result["clips"] == 48
    assert [entry["clip"] for entry in result["errors"]] == [bad.stem]


def test_a_model_without_a_test_split_says_so(ravdess: Path) -> None:
    with pytest.raises(CorpusError, match=r"default\.onnx has no test split"):
        evaluate(Classifier(), load_corpus(ravdess), "test")


def test_a_trained_model_knows_its_clips_after_saving(reference_run: Path, tmp_path: Path) -> None:
    before = find_model(reference_run)
    TrainedModel(before.model, before.architecture, before.data).save(tmp_path / "m.safetensors")
    assert load_model(tmp_path / "m.safetensors").data == before.data


def test_a_corruption_is_the_same_beside_another_corpus(ravdess: Path) -> None:
    """Joining corpora puts the name of its corpus before that of a clip."""
    clip = load_corpus(ravdess).clips[0]
    joined = replace(clip, name=f"{clip.corpus}/{clip.name}")
    rows, errors = predict_clips(Classifier(), [clip, joined], "pink-noise-10dB")
    assert not errors
    assert rows[0]["probabilities"] == rows[1]["probabilities"]
