"""Enrolment: closed forms of the adjustment, what may be enrolled from, files, and the trial."""

import json
import pickle
import queue
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import soundfile
from typer.testing import CliRunner

from audio_emotion import Classifier, Speaker, TimelineStream, explain, timeline
from audio_emotion.cli import crossval
from audio_emotion.cli.app import app
from audio_emotion.cli.listen import Microphone, enrolled
from audio_emotion.datasets import load_corpus
from audio_emotion.errors import AudioError, CorpusError, ModelError, OutputError, SpeakerError
from audio_emotion.evaluation.analysis import scores
from audio_emotion.evaluation.calibration import softmax
from audio_emotion.evaluation.enrolment import (
    AFFORDED,
    COUNTS,
    DRAWS,
    STRENGTHS,
    LeftOut,
    at_temperature,
    choose_strength,
    compare,
    neutral_clips,
    reference,
    strength_curve,
)
from audio_emotion.evaluation.evaluate import evaluate
from audio_emotion.evaluation.trial import Trial
from audio_emotion.formats.report import as_markdown
from audio_emotion.inference.model_file import Enrolment, default_model
from audio_emotion.inference.speaker import HALF_DUR, adjust, factors, log_mean, strength_for
from audio_emotion.labels import EMOTIONS, Emotion
from audio_emotion.notices import Code
from audio_emotion.training.export import export_weights, set_metadata
from audio_emotion.training.model import find_model, load_model
from conftest import RATE, SAMPLES, TRAINING_WARNINGS

pytestmark = TRAINING_WARNINGS

ROOT = Path(__file__).parents[1]
SLOW, FLAT = SAMPLES / "slow_low.flac", SAMPLES / "flat.flac"
REFERENCE = dict(zip(EMOTIONS, [-0.9, -4.0, -3.0, -2.5, -3.0, -3.0, -3.0, -4.0], strict=True))
EXACT = 1e-6  # of float32 probabilities
LABELS = ("neutral", "happy", "angry")


@pytest.fixture(scope="module")
def enrolling(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shipped model with a reference."""
    return with_enrolment(tmp_path_factory.mktemp("enrolling"), REFERENCE)


def with_enrolment(folder: Path, reference: dict[str, float] | None) -> Path:
    graph, info = onnx.load(default_model()), Classifier().info
    enrolment = reference and Enrolment(reference=reference, speakers=10, strength=0.4)
    set_metadata(graph, info.model_copy(update={"enrolment": enrolment}))
    onnx.save(graph, folder / "model.onnx")
    return folder / "model.onnx"


@pytest.fixture(scope="module")
def classifier(enrolling: Path) -> Classifier:
    return Classifier(enrolling)


@pytest.fixture(scope="module")
def me(classifier: Classifier) -> Speaker:
    return classifier.enroll([SLOW, FLAT])


def rows(*values: Any) -> np.ndarray:
    return np.array(values, np.float32)


# The adjustment


def test_a_constant_offset_is_removed_exactly_at_strength_one() -> None:
    """Voice and microphone that add the same to every log-probability."""
    rng = np.random.default_rng(0)
    logits, offset = rng.normal(size=(40, 3)), np.array([0.5, -1.0, 2.0])
    clean, moved = softmax(logits), softmax(logits + offset)
    # Normalisation adds a constant to each row, which no ratio depends on.
    mean, at_home = (dict(zip(LABELS, log_mean(p), strict=True)) for p in (moved, clean))
    np.testing.assert_allclose(adjust(moved, factors(mean, at_home, 1.0)), clean, atol=1e-12)
    half = adjust(moved, factors(mean, at_home, 0.5))
    np.testing.assert_allclose(half, softmax(logits + offset / 2), atol=1e-12)


def test_a_speaker_equal_to_the_reference_and_no_strength_change_nothing(
    classifier: Classifier, me: Speaker
) -> None:
    plain = classifier.file(FLAT).probabilities
    same = replace(me, log_probabilities=dict(REFERENCE))
    assert classifier.file(FLAT, speaker=same).probabilities == pytest.approx(plain, abs=EXACT)
    assert classifier.file(FLAT, speaker=me).probabilities != pytest.approx(plain, abs=1e-3)
    assert not np.any(factors(me.log_probabilities, REFERENCE, 0) - 1)


def test_the_prediction_of_a_speaker_is_the_formula(classifier: Classifier, me: Speaker) -> None:
    signal, rate = soundfile.read(SAMPLES / "fast_high.flac", dtype="float32")
    plain = np.array(list((classifier(signal, rate).probabilities or {}).values()))
    strength = 0.4 * me.speech_dur / (me.speech_dur + HALF_DUR)
    shift = np.array([me.log_probabilities[label] - REFERENCE[label] for label in EMOTIONS])
    expected = softmax((np.log(plain) - strength * shift)[None])[0]
    found = classifier(signal, rate, speaker=me).probabilities
    assert list((found or {}).values()) == pytest.approx(expected, abs=EXACT)
    assert classifier(signal, rate).probabilities == dict(zip(EMOTIONS, plain, strict=True))


def test_little_speech_counts_less() -> None:
    found = [strength_for(seconds, 0.4) for seconds in (3, 10, 60)]
    assert found == sorted(found)
    assert strength_for(HALF_DUR, 0.4) == 0.2
    assert strength_for(1e9, 0.4) == pytest.approx(0.4)


def test_every_way_to_a_prediction_is_adjusted_alike(classifier: Classifier, me: Speaker) -> None:
    signal, rate = soundfile.read(SLOW, dtype="float32")
    adjusted = classifier.for_speaker(me)
    assert classifier.file(SLOW, speaker=me) == adjusted.file(SLOW) != classifier.file(SLOW)
    whole = timeline(signal, rate, classifier, speaker=me)
    np.testing.assert_array_equal(
        whole.probabilities, timeline(signal, rate, adjusted).probabilities
    )
    plain = timeline(signal, rate, classifier)
    assert np.nanmax(np.abs(whole.probabilities - plain.probabilities)) > 0.01
    stream = TimelineStream(classifier, speaker=me)
    assert (*stream.push(signal, rate), *stream.close()) == whole.segments
    found = explain(signal, rate, classifier, speaker=me).probabilities
    assert found == pytest.approx(adjusted.file(SLOW).probabilities, abs=0.01)
    again = pickle.loads(pickle.dumps(adjusted))
    assert again.file(SLOW) == adjusted.file(SLOW)
    assert adjusted.for_speaker(None).file(SLOW) == classifier.file(SLOW)


# Enrolling


def test_a_speaker_rests_on_the_speech_of_all_recordings(
    classifier: Classifier, me: Speaker
) -> None:
    each = [classifier.file(path) for path in (SLOW, FLAT)]
    logs = [np.log(list((found.probabilities or {}).values())) for found in each]
    seconds = [found.speech_dur for found in each]
    assert me.speech_dur == pytest.approx(sum(seconds))
    assert me.clips == 2
    assert me.model == classifier.digest
    np.testing.assert_allclose(
        list(me.log_probabilities.values()), np.average(logs, 0, seconds), atol=1e-5
    )


def test_files_signals_and_an_adjusted_classifier_enrol_alike(
    classifier: Classifier, me: Speaker
) -> None:
    signals = [soundfile.read(path, dtype="float32") for path in (SLOW, FLAT)]
    silence = np.zeros(2 * signals[0][1], np.float32)
    padded = [(np.concatenate([silence, signal, silence]), rate) for signal, rate in signals]
    assert classifier.enroll(signals) == me == classifier.for_speaker(me).enroll([SLOW, FLAT])
    found = classifier.enroll(padded)
    assert found.log_probabilities == pytest.approx(me.log_probabilities, abs=0.02)
    assert found.speech_dur == pytest.approx(me.speech_dur, abs=0.05)  # frames of 8 ms


@pytest.mark.parametrize(("recordings", "words"), [
    ([], "no recording to enrol from"),
    ([(np.zeros(RATE, np.float32), RATE)], "recording 1: nobody speaks or sings"),
    ([SLOW, (np.zeros(RATE, np.float32), RATE)], "recording 2: nobody speaks or sings"),
    ([FLAT], r"1\.\d\d s of speech are too little; an enrolment needs 3 s"),
    ([SLOW, FLAT, SLOW], r"slow_low\.flac: this recording was given before"),
    ("hello.wav", "a list of recordings"),
    (["missing.wav"], "missing.wav does not exist"),
    ([np.zeros(9)], r"a list of recordings, .* or of pairs \(signal, rate\)"),
    ((np.zeros(9), RATE), r"or of pairs \(signal, rate\)"),
    (([0.0, 0.1], np.float64(RATE)), r"or of pairs \(signal, rate\)"),
    ([object()], "is no recording"),
])  # fmt: skip
def test_what_nobody_can_be_enrolled_from_is_refused(
    classifier: Classifier, recordings: Any, words: str
) -> None:
    with pytest.raises(AudioError, match=words):
        classifier.enroll(recordings)


def codes(speaker: Speaker) -> list[Code]:
    return [notice.code for notice in speaker.warnings]


def test_what_qualifies_an_enrolment_is_said(classifier: Classifier) -> None:
    slow, rate = soundfile.read(SLOW, dtype="float32")
    flat = soundfile.read(FLAT, dtype="float32")[0]
    clean = classifier.enroll([(slow, rate), (flat, rate)])
    assert not {Code.CLIPPED, Code.UNEVEN_LEVELS, Code.NOT_READ} & set(codes(clean))
    clipped = np.clip(slow * 20, -1, 1)
    assert Code.CLIPPED in codes(classifier.enroll([(clipped, rate), (flat, rate)]))
    assert Code.UNEVEN_LEVELS in codes(classifier.enroll([(slow, rate), (flat / 30, rate)]))
    long = classifier.enroll([(np.tile(slow, 25), rate)])
    assert Code.NOT_READ in codes(long)
    assert long.speech_dur == 60


def test_recordings_that_do_not_sound_neutral_are_questioned(
    real_ravdess: Path, classifier: Classifier
) -> None:
    folder = real_ravdess / "Audio_Speech_Actors_01-24" / "Actor_03"
    found = {
        emotion: classifier.enroll(sorted(folder.glob(f"03-01-{emotion}-*.flac"))[:4])
        for emotion in ("01", "05")
    }
    assert Code.NOT_NEUTRAL not in codes(found["01"])
    assert Code.NOT_NEUTRAL in codes(found["05"])
    [notice] = [n for n in found["05"].warnings if n.code is Code.NOT_NEUTRAL]
    assert re.match(r"the recordings sound angry \(\d+%\) rather than neutral", notice.message)


def test_a_model_without_a_reference_refuses(tmp_path: Path, me: Speaker) -> None:
    old = Classifier(with_enrolment(tmp_path, None))
    for attempt in (lambda: old.enroll([SLOW]), lambda: old.enrolment):
        with pytest.raises(ModelError, match=r"model\.onnx: it has no reference of neutral speech"):
            attempt()
    with pytest.raises(SpeakerError, match="another model file"):
        old.for_speaker(me)


def test_a_reference_of_other_labels_is_refused(tmp_path: Path) -> None:
    path = with_enrolment(tmp_path, {"neutral": -1.0})
    with pytest.raises(ModelError, match=r"metadata 'enrolment': .*other labels"):
        Classifier(path)


# Files


def test_a_speaker_survives_its_file_and_is_not_overwritten(me: Speaker, tmp_path: Path) -> None:
    path = tmp_path / "new" / "me.json"
    me.save(path)
    assert Speaker.load(path) == me
    values = json.loads(path.read_text(encoding="utf-8"))
    assert set(values) == {"format", "model", "speech_dur", "clips", "log_probabilities"}
    with pytest.raises(OutputError, match="exists already"):
        me.save(path)
    me.save(path, force=True)


@pytest.mark.parametrize(("change", "words"), [
    ({"format": "audio-emotion-speaker-9"}, "'format'"),
    ({"model": "abc"}, "'model'"),
    ({"speech_dur": 1e9}, "'speech_dur'"),
    ({"speech_dur": float("nan")}, "'speech_dur'"),
    ({"clips": 0}, "'clips'"),
    ({"clips": "2"}, "'clips'"),
    ({"more": 1}, "'more'"),
    ({"log_probabilities": {}}, "'log_probabilities'"),
    ({"log_probabilities": {"<b>": -1.0, "sad": -1.0}}, "'log_probabilities'"),
    ({"log_probabilities": {"happy": float("-inf"), "sad": -1.0}}, "'log_probabilities.happy'"),
    ({"log_probabilities": {"happy": 3.0, "sad": -1.0}}, "'log_probabilities.happy'"),
])  # fmt: skip
def test_a_damaged_file_is_refused_by_name(
    me: Speaker, tmp_path: Path, change: dict[str, Any], words: str
) -> None:
    path = tmp_path / "me.json"
    path.write_text(json.dumps(me.as_dict() | change), encoding="utf-8")
    with pytest.raises(SpeakerError, match=rf"me\.json is no speaker's file: {words}"):
        Speaker.load(path)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[]", b" " * 70_000, b"[" * 60_000])
def test_what_is_no_speaker_at_all_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "me.json").write_bytes(content)
    for path in (tmp_path / "me.json", tmp_path / "missing.json", tmp_path):
        with pytest.raises(SpeakerError, match=re.escape(str(path))):
            Speaker.load(path)


def test_the_order_of_labels_in_a_file_does_not_matter(classifier: Classifier, me: Speaker) -> None:
    turned = replace(me, log_probabilities=dict(reversed(me.log_probabilities.items())))
    assert classifier.file(FLAT, speaker=turned) == classifier.file(FLAT, speaker=me)


@pytest.mark.parametrize("found", ["me.json", "", Path("me.json"), {"model": "0"}])
def test_what_is_no_speaker_is_refused(classifier: Classifier, found: Any) -> None:
    signal, rate = np.zeros(RATE, np.float32), RATE
    for attempt in (
        lambda: classifier.file(FLAT, speaker=found),
        lambda: classifier(signal, rate, speaker=found),
        lambda: timeline(signal, rate, classifier, speaker=found),
        lambda: TimelineStream(classifier, speaker=found),
        lambda: explain(signal, rate, classifier, speaker=found),
    ):
        with pytest.raises(SpeakerError, match=r"is no Speaker; load it with Speaker\.load"):
            attempt()


def test_a_speaker_of_other_labels_is_refused(classifier: Classifier, me: Speaker) -> None:
    with pytest.raises(SpeakerError, match="other labels"):
        classifier.for_speaker(replace(me, log_probabilities={"neutral": -1.0, "sad": -1.0}))


# The commands


def run(*arguments: object) -> Any:
    return CliRunner().invoke(app, list(map(str, arguments)))


def test_the_commands_enrol_and_use_a_speaker(enrolling: Path, tmp_path: Path) -> None:
    out, model = tmp_path / "me.json", ("--model", enrolling)
    done = run("enroll", SLOW, FLAT, "--out", out, *model)
    assert done.exit_code == 0, done.output
    assert re.search(r"me\.json: \d\.\d s of speech in 2 recordings", done.output)
    assert isinstance(run("enroll", SLOW, "--out", out, *model).exception, OutputError)
    assert run("explain", FLAT, *model, "--speaker", out).exit_code == 0
    for command in (["predict", SLOW, "--json"], ["timeline", SLOW, "--format", "json"]):
        found = [run(*command, *model, *more) for more in ((), ("--speaker", out))]
        assert [one.exit_code for one in found] == [0, 0], found[1].output
        assert found[0].output != found[1].output
    refused = run("predict", SLOW, "--speaker", out)
    assert isinstance(refused.exception, SpeakerError | ModelError)


def test_listening_begins_with_an_enrolment(classifier: Classifier, me: Speaker) -> None:
    signal, rate = soundfile.read(SLOW, dtype="float32")

    def blocks() -> Iterator[tuple[Microphone, np.ndarray]]:
        source = Microphone(rate, queue.Queue())
        while True:
            for block in np.split(signal, range(rate // 10, len(signal), rate // 10)):
                yield source, block

    microphone = blocks()
    found = enrolled(classifier, microphone, 6)
    assert 3 < found.speech_dur <= 6.1
    assert next(microphone)  # the rest is for the timeline


def test_listening_takes_one_speaker_of_a_sensible_length(tmp_path: Path) -> None:
    assert "exclude each other" in str(
        run("listen", "--enroll", 9, "--speaker", tmp_path / "me.json").exception
    )
    assert "needs 3 s" in str(run("listen", "--enroll", 1).exception)


# The trial


def speakers(shift: float, clips: int = 20, count: int = 6, seed: int = 0) -> list[dict[str, Any]]:
    """Rows of people whose voices each move the logits, whatever they feel."""
    rng = np.random.default_rng(seed)
    made = []
    for person in range(count):
        offset = shift * rng.normal(size=len(LABELS))
        for n in range(clips * len(LABELS)):
            label = LABELS[n % len(LABELS)]
            logits = 2.0 * np.eye(len(LABELS))[n % len(LABELS)] + 0.5 * rng.normal(size=len(LABELS))
            found = dict(zip(LABELS, softmax((logits + offset)[None])[0].tolist(), strict=True))
            made.append({"clip": f"{person}/{n}", "label": label, "speaker": f"S{person}",
                         "speech_dur": 2.5, "probabilities": found})  # fmt: skip
    return made


def at_home() -> dict[str, float]:
    neutral = [row for row in speakers(0.0) if row["label"] == "neutral"]
    table = np.array([list(row["probabilities"].values()) for row in neutral])
    return dict(zip(LABELS, log_mean(table).tolist(), strict=True))


def test_no_condition_scores_what_anybody_was_enrolled_from() -> None:
    trial = Trial(speakers(1.0), at_home(), most=5)
    scored = {row["clip"] for row in trial.scored}
    candidates = {row["clip"] for found in trial.candidates.values() for row in found}
    assert not scored & candidates
    assert len(candidates) == 6 * 10
    assert len(scored) == 6 * 50
    drawn = [trial.drawn(5, draw) for draw in range(4)]
    assert all({r["clip"] for r in found} <= candidates for d in drawn for found in d.values())
    assert drawn[0] != drawn[1]
    first = [row["clip"] for row in speakers(1.0) if row["label"] == "neutral"][:10]
    assert {row["clip"] for row in trial.candidates["S0"]} != set(first)
    assert drawn[0] == Trial(speakers(1.0)[::-1], at_home(), most=5).drawn(5, 0)
    assert all(row["label"] == "neutral" for found in drawn[0].values() for row in found)
    fewer = Trial(speakers(1.0, count=3), at_home(), most=5).drawn(5, 0)  # without the others
    assert {name: [r["clip"] for r in found] for name, found in fewer.items()} == {
        name: [r["clip"] for r in drawn[0][name]] for name in fewer
    }


def test_enrolment_helps_where_voices_differ_and_costs_little_where_not() -> None:
    enrolment = Enrolment(reference=at_home(), speakers=6, strength=1.0)
    moved, same = (compare(speakers(shift), enrolment, [1, 5]) for shift in (1.5, 0.0))
    assert [row["clips"] for row in moved["conditions"]] == [0, 1, 5]
    without, one, five = moved["conditions"]
    assert without["gain"] == 0
    assert without["gain_interval"] == [0, 0]
    assert five["gain"] > one["gain"] > 0.05
    assert five["gain"] == pytest.approx(five["uar"] - without["uar"])
    assert five["gain_interval"][0] > 0
    assert five["interval"][0] <= five["uar"] <= five["interval"][1]
    assert abs(same["conditions"][2]["gain"]) < 0.03
    wrong = compare(speakers(1.5), enrolment, [5], source="angry", also=("neutral",))
    right = compare(speakers(1.5), enrolment, [5], also=("angry",))
    assert wrong["clips"] == right["clips"]
    assert wrong["conditions"][0]["uar"] == right["conditions"][0]["uar"]
    assert wrong["conditions"][1]["uar"] < right["conditions"][1]["uar"]


def left_out(shift: float, known: float) -> list[LeftOut]:
    return [
        LeftOut(speakers(shift, seed=n), speakers(known, seed=n + 9), at_home()) for n in range(2)
    ]


def test_the_strength_is_all_of_a_pure_offset_and_nothing_of_none() -> None:
    # With few clips the mean is uncertain, with voices alike any correction is noise.
    assert choose_strength(left_out(2.0, known=2.0)) >= 0.8
    assert choose_strength(left_out(0.0, known=2.0)) <= 0.5


def test_no_strength_costs_known_corpora_more_than_they_can_afford() -> None:
    folds = left_out(2.0, known=0.0)
    known = [strength_curve(fold.known, fold.reference, COUNTS, DRAWS) for fold in folds]
    costs = [max(curve[0] - curve[n] for curve in known) for n in range(len(STRENGTHS))]
    unseen = [strength_curve(fold.rows, fold.reference, COUNTS, DRAWS) for fold in folds]
    best = int(np.argmax(np.mean(unseen, 0)))
    assert costs[best] > AFFORDED  # else this test shows nothing
    chosen = STRENGTHS.index(choose_strength(folds))
    assert 0 < chosen < best
    assert costs[chosen] <= AFFORDED
    better = [n for n in range(best) if np.mean(unseen, 0)[n] > np.mean(unseen, 0)[chosen]]
    assert all(costs[n] > AFFORDED for n in better)


def test_a_cross_validation_by_corpus_chooses_the_strength(
    ravdess: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    folds = dict(zip("AB", left_out(2.0, known=0.0), strict=True))
    monkeypatch.setattr(crossval, "Classifier", lambda path, threads: path.parent.name)
    monkeypatch.setattr(crossval, "_left_out", lambda model, *_: folds[model[-1]])
    found = crossval._strength({"A": {}, "B": {}}, load_corpus(ravdess), tmp_path)
    assert found == choose_strength(folds.values())
    assert f"strength of an enrolment: {found:.2f}" in capsys.readouterr().out


def test_no_strength_is_chosen_from_predictions_without_seconds() -> None:
    old = [{k: v for k, v in row.items() if k != "speech_dur"} for row in speakers(1.0)]
    with pytest.raises(CorpusError, match="predict again"):
        choose_strength([LeftOut(old, speakers(1.0), at_home())])


def test_speakers_with_too_few_clips_are_left_out_and_counted() -> None:
    few = [row for row in speakers(1.0) if row["speaker"] != "S0" or row["label"] != "neutral"]
    assert compare(few, Enrolment(reference=at_home(), speakers=1), [3])["left_out"] == 1
    with pytest.raises(CorpusError, match="no speaker has more than 20 neutral clips"):
        Trial(speakers(1.0), at_home(), most=20)


def test_each_speaker_counts_the_same_in_the_reference(real_ravdess: Path) -> None:
    corpus = load_corpus(real_ravdess)
    chosen = neutral_clips(corpus.clips)
    assert {clip.label for clip in chosen} == {Emotion.NEUTRAL}
    first = [clip for clip in chosen if clip.speaker == "01"][:3]
    second = [clip for clip in chosen if clip.speaker == "02"][:1]
    table = np.array([[0.5, 0.5]] * 3 + [[0.9, 0.1]])
    found = reference([*first, *second], table, ("neutral", "sad"))
    assert found
    assert found.speakers == 2
    assert found.reference["neutral"] == pytest.approx((np.log(0.5) + np.log(0.9)) / 2, abs=1e-6)
    assert reference([], table[:0], ("neutral", "sad")) is None
    assert neutral_clips([clip for clip in corpus.clips if clip.label is Emotion.NEUTRAL]) == []


def test_an_evaluation_compares_beside_its_scores(
    real_ravdess: Path, classifier: Classifier, tmp_path: Path
) -> None:
    speech = real_ravdess / "Audio_Speech_Actors_01-24" / "Actor_01"
    (tmp_path / speech.parent.name).mkdir()
    (tmp_path / speech.parent.name / "Actor_01").symlink_to(speech)
    corpus = load_corpus(tmp_path)
    found = evaluate(classifier, corpus, enroll=1)
    assert found["scores"] == scores(found["predictions"], found["labels"])
    compared = found["enrolment"]
    assert [row["clips"] for row in compared["conditions"]] == [0, 1]
    assert compared["speakers"] == 1
    assert compared["clips"] < found["clips"]
    text = as_markdown(found)
    assert "## With a neutral voice" in text
    assert "## With a neutral voice" not in as_markdown(found | {"enrolment": None})
    old = Classifier(with_enrolment(tmp_path, None))
    with pytest.raises(ModelError, match="no reference"):
        evaluate(old, corpus, enroll=1)


def test_a_training_measures_its_reference_on_held_back_speakers(
    model: Path, reference_run: Path, ravdess: Path, tmp_path: Path
) -> None:
    trained = find_model(reference_run)
    found = Classifier(model).enrolment
    assert trained.enrolment == found
    assert tuple(found.reference) == Classifier(model).labels
    uses = trained.data.provenance.own("val")
    clips = [clip for clip in load_corpus(ravdess).clips if clip.key in {u.clip for u in uses}]
    neutral = neutral_clips(clips)
    assert neutral
    assert found.speakers == len({clip.speaker_id for clip in neutral})
    table = [Classifier(model)(*clip.read()).probabilities for clip in neutral]
    expected = reference(neutral, np.array([list(t.values()) for t in table if t]), EMOTIONS)
    assert expected
    assert found.reference == pytest.approx(expected.reference, abs=0.05)  # fp16 weights
    # A run of before there were references gets the same from its corpora.
    replace(trained, enrolment=None).save(tmp_path / "old.safetensors")
    export_weights(tmp_path / "old.safetensors", tmp_path / "new.safetensors", load_corpus(ravdess))
    again = load_model(tmp_path / "new.safetensors").enrolment
    assert again
    assert again.reference == pytest.approx(found.reference, abs=1e-3)  # a cache of 16 bits


def test_another_temperature_moves_the_reference_with_it() -> None:
    """Up to a constant: what is adjusted does not depend on it."""
    logits = np.random.default_rng(0).normal(size=(1, 3))
    before, after = (dict(zip(LABELS, np.log(softmax(logits / t))[0], strict=True)) for t in (1, 2))
    found = at_temperature(Enrolment(reference=before, speakers=1), 1.0, 2.0).reference
    differences = [found[label] - after[label] for label in LABELS]
    np.testing.assert_allclose(differences, differences[0], atol=1e-6)


def test_the_program_of_the_documentation_runs(
    enrolling: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = (ROOT / "docs" / "enrolment.md").read_text(encoding="utf-8")
    [program] = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    monkeypatch.setattr("audio_emotion.inference.model_file.default_model", lambda: enrolling)
    (tmp_path / "samples").symlink_to(SAMPLES)
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    exec(program, names)
    assert names["me"] == Speaker.load("me.json")
