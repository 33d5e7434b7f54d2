"""Protocols: the published lists, what they promise, and a leak of every kind, planted."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import soundfile

from audio_emotion.config import load_config
from audio_emotion.corpora import Clip, Corpus, load_corpora, load_corpus
from audio_emotion.corpora.corpus import join
from audio_emotion.errors import CorpusError
from audio_emotion.evaluation import protocols
from audio_emotion.evaluation.crossval import summarize
from audio_emotion.evaluation.protocols import Fold, Protocol, build, check
from audio_emotion.evaluation.robustness import compare
from audio_emotion.labels import EMOTIONS, Emotion
from conftest import RATE, voice

PARTS = ("train", "val", "test")


@pytest.fixture(scope="module")
def actors24(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    """RAVDESS names for 24 actors, speech and song; the sounds differ, no more matters."""
    root = tmp_path_factory.mktemp("actors")
    for actor in range(1, 25):
        for channel, emotions in [(1, range(1, 9)), (2, range(1, 7))]:
            for emotion in emotions:
                path = root / f"03-0{channel}-0{emotion}-01-01-01-{actor:02}.wav"
                soundfile.write(path, voice(0.05, 100)[: 100 + 20 * actor + emotion], RATE)
    return load_corpus(root)


@pytest.mark.parametrize("lists", [protocols.EMOBOX, protocols.LUNA_JIMENEZ])
def test_published_folds_hold_every_actor_once_but_what_they_leave_out(
    lists: tuple[tuple[int, ...], ...],
) -> None:
    dealt = [actor for fold in lists for actor in fold]
    assert sorted(dealt) == list(range(1, 25))


def test_actors_tests_every_clip_once_on_voices_never_heard(actors24: Corpus) -> None:
    protocol = build("actors", actors24)
    assert len(protocol.folds) == 6
    tested = [n for fold in protocol.folds for n in fold.members("test")]
    assert sorted(tested) == list(range(len(actors24.clips)))
    for fold, actors in zip(protocol.folds, protocols.EMOBOX, strict=True):
        voices = {part: {actors24.clips[n].voice for n in fold.members(part)} for part in PARTS}
        assert voices["test"] == {f"RAVDESS/{actor:02}" for actor in actors}
        assert not voices["test"] & voices["train"]
        assert not voices["val"] & (voices["train"] | voices["test"])
        assert len(voices["val"]) == 2
    assert "never heard" in protocol.promise


@pytest.mark.parametrize(("name", "folds"), [("emobox", 6), ("luna-jimenez", 5)])
def test_speech_protocols_leave_song_out(actors24: Corpus, name: str, folds: int) -> None:
    protocol = build(name, actors24)
    assert len(protocol.folds) == folds
    for fold in protocol.folds:
        used = {actors24.clips[n].channel for part in PARTS for n in fold.members(part)}
        assert used == {"speech"}


def test_random_is_repeated_stratified_and_says_that_voices_are_known(actors24: Corpus) -> None:
    protocol = build("random", actors24, seed=3, repeats=2)
    for fold in protocol.folds:
        shares = [len(fold.members(part)) / len(actors24.clips) for part in PARTS]
        assert shares == pytest.approx([0.7, 0.1, 0.2], abs=0.03)
    assert protocol.folds[0].parts != protocol.folds[1].parts
    assert "known voices" in protocol.promise
    assert build("random", actors24, seed=3, repeats=2) == protocol


def test_a_fold_for_each_speaker_and_k_groups(actors24: Corpus) -> None:
    each = build("leave-one-speaker-out", actors24)
    assert len(each.folds) == 24
    assert len(build("grouped-4", actors24).folds) == 4
    for fold in each.folds:
        assert len({actors24.clips[n].speaker for n in fold.members("test")}) == 1


def crema(tmp_path: Path, speakers: int = 12) -> Path:
    root = tmp_path / "crema"
    root.mkdir(parents=True)
    for speaker in range(1001, 1001 + speakers):
        for emotion in ("ANG", "DIS", "FEA", "HAP", "NEU", "SAD"):
            name = f"{speaker}_IEO_{emotion}_XX.wav"
            soundfile.write(root / name, voice(0.05, 100)[: 900 + speaker], RATE * 2)
            (root / name).write_bytes((root / name).read_bytes() + name.encode())
    return root


def test_further_corpora_are_dealt_by_speaker_too(actors24: Corpus, tmp_path: Path) -> None:
    both = join([actors24, load_corpus(crema(tmp_path))])
    protocol = build("actors", both)
    tested = [n for fold in protocol.folds for n in fold.members("test")]
    assert sorted(tested) == list(range(len(both.clips)))
    with pytest.raises(CorpusError, match="too few for 6 folds"):
        build("actors", join([actors24, load_corpus(crema(tmp_path / "few", 3))]))


def test_cross_corpus_trains_on_the_first_and_tests_on_the_others(
    actors24: Corpus, tmp_path: Path
) -> None:
    both = join([actors24, load_corpus(crema(tmp_path))])
    (fold,) = build("cross-corpus", both).folds
    assert {both.clips[n].corpus for n in fold.members("test")} == {"CREMA-D"}
    assert {both.clips[n].corpus for n in fold.members("train")} == {"RAVDESS"}
    with pytest.raises(CorpusError, match="needs two corpora"):
        build("cross-corpus", actors24)


def test_cross_corpus_is_judged_among_the_labels_of_both_sides(
    actors24: Corpus, tmp_path: Path
) -> None:
    """Nobody who has learnt from CREMA-D can know calm and surprised."""
    both = join([load_corpus(crema(tmp_path)), actors24])
    protocol = build("cross-corpus", both)
    tested = [both.clips[n] for n in protocol.folds[0].members("test")]
    probabilities = dict.fromkeys(EMOTIONS, 0.02) | {"calm": 0.5, "happy": 0.3}
    rows = [
        {
            "clip": clip.name,
            "corpus": clip.corpus,
            "speaker": clip.speaker,
            "channel": clip.channel,
            "truth": clip.label.label,
            "answer": "calm",
            "confidence": 0.5,
            "confident": False,
            "probabilities": probabilities,
        }
        for clip in tested
    ]
    result = summarize({"1": rows}, both, protocol, load_config("voice"))["RAVDESS"]
    judged = {row["truth"] for row in result["predictions"]}
    assert judged == set(EMOTIONS) - {"calm", "surprised"}
    assert {row["answer"] for row in result["predictions"]} == {"happy"}
    assert result["over_folds"]["uar"]["mean"] == pytest.approx(1 / 6)
    assert "trained on CREMA-D; judged among" in result["protocol"]
    assert "without calm and surprised" in result["protocol"]
    (clean,) = compare(both, protocol, tmp_path, {"1": rows}, conditions=[])
    assert clean["uar"] == pytest.approx(1 / 6)


def clips() -> list[Clip]:
    return [
        Clip(f"{speaker}-{label}-{n}", Emotion(label), Path("x"), speaker=speaker, corpus="C")
        for speaker in ("a", "b", "c")
        for label in (0, 1)
        for n in (0, 1)
    ]


def by_speaker(**where: str) -> Protocol:
    parts = tuple(where[clip.speaker or ""] for clip in clips())
    return Protocol("planted", (Fold("1", parts),), unseen_speakers=True)


DIGESTS = [str(n) for n in range(12)]


def test_a_protocol_without_a_leak_passes() -> None:
    check(by_speaker(a="train", b="val", c="test"), clips(), DIGESTS)


def test_a_planted_duplicate_is_named() -> None:
    digests = [*DIGESTS[:-1], DIGESTS[0]]
    with pytest.raises(CorpusError, match=r"a-0-0 \(train\) and c-1-1 \(test\) are byte-identical"):
        check(by_speaker(a="train", b="val", c="test"), clips(), digests)


@pytest.mark.parametrize("part", ["test", "val"])
def test_a_planted_speaker_is_named(part: str) -> None:
    protocol = by_speaker(a="train", b="val", c="test")
    (fold,) = protocol.folds
    leaky = replace(protocol, folds=(Fold("1", (part, *fold.parts[1:])),))
    with pytest.raises(CorpusError, match=r"a-0-0 .* and a-0-1 .* are of one speaker"):
        check(leaky, clips(), DIGESTS)
    check(replace(leaky, unseen_speakers=False), clips(), DIGESTS)


def test_a_class_that_is_tested_but_not_trained_is_named() -> None:
    made = clips()
    made[-1] = replace(made[-1], label=Emotion.ANGRY)
    with pytest.raises(CorpusError, match="c-1-1 is angry, of which no clip is left"):
        check(by_speaker(a="train", b="val", c="test"), made, DIGESTS)


def test_an_empty_part_is_refused() -> None:
    with pytest.raises(CorpusError, match="its val part is empty"):
        check(by_speaker(a="train", b="train", c="test"), clips(), DIGESTS)


def test_what_cannot_be_dealt_is_refused_in_words(actors24: Corpus, tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="no protocol 'fair'"):
        build("fair", actors24)
    with pytest.raises(CorpusError, match="cannot be so dealt"):
        build("grouped-25", actors24)
    (tmp_path / "c" / "sad").mkdir(parents=True)
    (tmp_path / "c" / "happy").mkdir()
    for label in ("sad", "happy"):
        soundfile.write(tmp_path / "c" / label / "a.wav", voice(), RATE)
    with pytest.raises(CorpusError, match="states no speaker"):
        build("grouped-2", load_corpus(tmp_path / "c"))
    with pytest.raises(CorpusError, match="protocol of RAVDESS, not of c"):
        build("actors", load_corpus(tmp_path / "c"))
    with pytest.raises(CorpusError, match=r"part is empty|no clip is left"):
        build("random", load_corpus(tmp_path / "c"))  # one clip a class


def test_two_corpora_of_one_name_are_refused(ravdess: Path, tmp_path: Path) -> None:
    shutil.copytree(ravdess, tmp_path / "copy")
    with pytest.raises(CorpusError, match="two corpora have one name"):
        load_corpora([ravdess, tmp_path / "copy"])
