"""Cross-validation: every fold once, resumable, one summary; and what corruptions cost."""

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner

from audio_emotion.cli.app import app
from audio_emotion.datasets import load_corpus
from audio_emotion.errors import TrainingError
from audio_emotion.evaluation import robustness
from audio_emotion.evaluation.analysis import scores
from audio_emotion.evaluation.folds import as_text, summarize
from audio_emotion.evaluation.protocols import Protocol, build
from audio_emotion.evaluation.transfer import Transfer
from audio_emotion.formats.report import as_markdown
from audio_emotion.inference.classifier import Classifier
from audio_emotion.inference.model_file import STRENGTH
from audio_emotion.labels import EMOTIONS
from audio_emotion.training.crossval import PREDICTIONS, crossval
from audio_emotion.training.crossval import _facts as crossval_facts
from audio_emotion.training.model import load_model
from audio_emotion.training.run import stored_data
from conftest import OPTIONS, RATE, TINY, TRAINING_WARNINGS, tiny, voice

pytestmark = TRAINING_WARNINGS
CONFIG = tiny("train.epochs=1")


def invoke(*command: str) -> None:
    """Run a command of the application, which must succeed."""
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.output


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
    done = out / "fold-2" / PREDICTIONS
    before = done.stat().st_mtime_ns
    corpus = load_corpus(ravdess)
    rows = crossval(corpus, protocol, CONFIG, out, folds=["1"], trainer_options=OPTIONS)
    assert list(rows) == ["1", "2"]
    assert done.stat().st_mtime_ns == before
    for fold in protocol.folds[:2]:
        tested = sorted(corpus.clips[n].name for n in fold.members("test"))
        assert sorted(row["clip"] for row in rows[fold.name]) == tested
        data = stored_data(out / f"fold-{fold.name}")
        trained = {use.speaker_id for use in data.provenance.own("train")}
        assert not trained & {row["speaker"] for row in rows[fold.name]}
        assert data.protocol.startswith("grouped-3 1, fold")


def test_another_configuration_protocol_or_fold_is_refused(
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


def test_another_seed_of_random_is_another_split(ravdess: Path, out: Path, tmp_path: Path) -> None:
    """Otherwise folds of one seed and folds of another would be averaged."""
    corpus = load_corpus(ravdess)
    first, second = (build("random", corpus, seed=seed, repeats=2) for seed in (0, 1))
    facts = json.loads((out / "protocol.json").read_text())
    splits = crossval_facts(corpus, first, CONFIG)["splits"]
    facts |= {"protocol": "random", "splits": splits}
    (tmp_path / "protocol.json").write_text(json.dumps(facts))
    with pytest.raises(TrainingError, match="begun with another splits"):
        crossval(corpus, second, CONFIG, tmp_path, folds=["2"], trainer_options=OPTIONS)


def test_the_summary_is_of_the_folds(ravdess: Path, protocol: Protocol, out: Path) -> None:
    rows = {"2": json.loads((out / "fold-2" / PREDICTIONS).read_text())}
    results = summarize(rows, load_corpus(ravdess), protocol, CONFIG.labels, CONFIG.name)
    result = results["RAVDESS"]
    accuracy = np.mean([row["label"] == row["predicted"] for row in rows["2"]])
    assert result["over_folds"]["accuracy"]["mean"] == pytest.approx(accuracy)
    assert result["scores"]["accuracy"]["value"] == pytest.approx(accuracy)
    assert "unseen speakers" in result["protocol"]
    assert "1 of 3 folds" in result["protocol"]
    assert f"accuracy {100 * accuracy:.2f} %" in as_text(results)
    assert "over 1 fold\n" in as_text(results)
    json.dumps(results, allow_nan=False)
    text = as_markdown(result)
    for title in ("Folds", "Calibration", "By gender", "Most confident mistakes"):
        assert title in text
    assert "reference system" not in text  # another protocol: not to be compared


def test_what_corruptions_cost_is_measured_on_the_folds_own_models(
    ravdess: Path, protocol: Protocol, out: Path
) -> None:
    rows = {"2": json.loads((out / "fold-2" / PREDICTIONS).read_text())}
    found = robustness.compare(
        load_corpus(ravdess), protocol, out, rows, corruptions=["gain-20dB", "telephone"]
    )
    assert [row["corruption"] for row in found] == ["clean", "gain-20dB", "telephone"]
    expected = scores(rows["2"], list(rows["2"][0]["probabilities"]))["uar"]["value"]
    assert found[0]["uar"] == pytest.approx(expected)
    assert found[1]["drop"] == pytest.approx(0, abs=0.13)  # a clip of sixteen at most
    assert robustness.as_markdown(found).count("\n") == 5


def test_corpora_left_out_give_a_calibration_that_an_export_takes(
    ravdess: Path, reference_run: Path, tmp_path: Path
) -> None:
    """One command writes it when the last fold is done, and another takes it."""
    manifest = tmp_path / "mine.csv"
    lines = ["path,label,speaker"]
    for number, label in enumerate(EMOTIONS * 3):
        soundfile.write(tmp_path / f"{number}.wav", voice(0.5, 80 + 20 * number, seed=number), RATE)
        lines.append(f"{number}.wav,{label},{number % 5}")
    manifest.write_text("\n".join(lines))
    out = tmp_path / "out"
    settings = [*TINY, "train.epochs=1"]
    command = ["crossval", "--protocol", "leave-one-corpus-out", "--config", "reference"]
    command += ["--data", str(ravdess), "--data", str(manifest), "--out", str(out)]
    command += [word for setting in settings for word in ("--set", setting)]
    invoke(*command, "--folds", "RAVDESS")
    assert not (out / "calibration.json").exists()
    invoke(*command)
    found = Transfer.load(out / "calibration.json")
    assert list(found.corpora) == ["RAVDESS", "mine"]
    assert found.strength is None  # each speaker has one neutral clip
    chosen = found.model_copy(update={"strength": 0.15})
    (out / "calibration.json").write_text(chosen.model_dump_json())
    exported = tmp_path / "model.onnx"
    words = ["--calibration", str(out / "calibration.json"), "--out", str(exported)]
    invoke("export", str(reference_run), *words)
    own, after = (
        Classifier(path).info.calibration for path in (out / "fold-mine/model.onnx", exported)
    )
    assert own.chosen_on == "the validation split"
    assert after.chosen_on == "clips of corpora left out: RAVDESS, mine"
    trained = load_model(reference_run / "model.safetensors").calibration
    enrolment = Classifier(exported).enrolment
    assert enrolment.strength == 0.15
    before = Classifier(out / "fold-mine/model.onnx").enrolment
    assert before.strength == STRENGTH
    assert after.temperature == pytest.approx(trained.temperature * found.factor)
