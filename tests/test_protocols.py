"""Protocols keep their published folds and their promises; leaks are refused."""

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from audio_emotion.datasets import Clip, Corpus, load_corpus
from audio_emotion.datasets.clip import SPLITS
from audio_emotion.datasets.corpus import join
from audio_emotion.errors import CorpusError
from audio_emotion.evaluation import protocols
from audio_emotion.evaluation.folds import summarize
from audio_emotion.evaluation.protocols import Fold, Protocol, build, check
from audio_emotion.evaluation.robustness import compare
from audio_emotion.labels import EMOTIONS, Emotion


def make(root: Path, *names: str) -> Corpus:
    """Make a corpus of files that all differ; nothing decodes them."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    return load_corpus(root)


@pytest.fixture(scope="module")
def ravdess24(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    """RAVDESS names of 24 actors, speech and song."""
    return make(
        tmp_path_factory.mktemp("actors"),
        *(
            f"03-0{channel}-0{emotion}-01-01-01-{actor:02}.wav"
            for actor in range(1, 25)
            for channel, emotions in [(1, range(1, 9)), (2, range(1, 7))]
            for emotion in emotions
        ),
    )


def crema_d(root: Path, speakers: int = 12) -> Corpus:
    return make(
        root,
        *(
            f"{1001 + speaker}_IEO_{emotion}_XX.wav"
            for speaker in range(speakers)
            for emotion in ("ANG", "DIS", "FEA", "HAP", "NEU", "SAD")
        ),
    )


@pytest.mark.parametrize("lists", [protocols.EMOBOX, protocols.LUNA_JIMENEZ])
def test_published_folds_hold_every_actor_once(lists: tuple[tuple[int, ...], ...]) -> None:
    assert sorted(actor for fold in lists for actor in fold) == list(range(1, 25))


def test_actors_tests_every_clip_once_on_unseen_speakers(ravdess24: Corpus) -> None:
    protocol = build("actors", ravdess24)
    assert len(protocol.folds) == 6
    tested = [n for fold in protocol.folds for n in fold.members("test")]
    assert sorted(tested) == list(range(len(ravdess24.clips)))
    for fold, actors in zip(protocol.folds, protocols.EMOBOX, strict=True):
        speakers = {
            split: {ravdess24.clips[n].speaker_id for n in fold.members(split)} for split in SPLITS
        }
        assert speakers["test"] == {f"RAVDESS/{actor:02}" for actor in actors}
        assert not speakers["test"] & speakers["train"]
        assert not speakers["val"] & (speakers["train"] | speakers["test"])
        assert len(speakers["val"]) == 2
    assert protocol.promise.startswith("unseen speakers")


@pytest.mark.parametrize(("name", "folds"), [("emobox", 6), ("luna-jimenez", 5)])
def test_speech_protocols_leave_song_out(ravdess24: Corpus, name: str, folds: int) -> None:
    protocol = build(name, ravdess24)
    assert len(protocol.folds) == folds
    for fold in protocol.folds:
        used = {ravdess24.clips[n].channel for split in SPLITS for n in fold.members(split)}
        assert used == {"speech"}


def test_random_is_stratified_and_says_that_speakers_are_known(ravdess24: Corpus) -> None:
    protocol = build("random", ravdess24, seed=3, repeats=2)
    for fold in protocol.folds:
        shares = [len(fold.members(split)) / len(ravdess24.clips) for split in SPLITS]
        assert shares == pytest.approx([0.7, 0.1, 0.2], abs=0.03)
    assert protocol.folds[0].splits != protocol.folds[1].splits
    assert protocol.promise.startswith("known speakers")
    assert build("random", ravdess24, seed=3, repeats=2) == protocol


def test_leave_one_speaker_out_and_grouped_folds(ravdess24: Corpus) -> None:
    each = build("leave-one-speaker-out", ravdess24)
    assert len(each.folds) == 24
    assert len(build("grouped-4", ravdess24).folds) == 4
    for fold in each.folds:
        assert len({ravdess24.clips[n].speaker for n in fold.members("test")}) == 1


def test_speakers_of_further_corpora_join_the_folds(ravdess24: Corpus, tmp_path: Path) -> None:
    both = join([ravdess24, crema_d(tmp_path / "many")])
    protocol = build("actors", both)
    tested = [n for fold in protocol.folds for n in fold.members("test")]
    assert sorted(tested) == list(range(len(both.clips)))


def test_a_corpus_of_few_speakers_trains_in_every_fold_and_is_never_tested(
    ravdess24: Corpus, tmp_path: Path
) -> None:
    few = join([ravdess24, crema_d(tmp_path / "few", 3)])
    protocol = build("actors", few)
    assert protocol.untested == ("CREMA-D",)
    for fold in protocol.folds:
        splits: dict[str, set[str | None]] = {"train": set(), "val": set(), "test": set()}
        for clip, split in zip(few.clips, fold.splits, strict=True):
            if clip.corpus == "CREMA-D":
                splits[split].add(clip.speaker_id)
        assert [len(splits[name]) for name in ("train", "val", "test")] == [2, 1, 0]


def ordinary(folder: Path, speakers: int = 20) -> Corpus:
    return make(folder, *(f"SPEAKER{speaker:04}_{speaker}0001.wav" for speaker in range(speakers)))


def test_each_corpus_is_left_out_in_turn(ravdess24: Corpus, tmp_path: Path) -> None:
    """But for ordinary speech, some of whose speakers every fold trains on and tests."""
    for name in ("crema", "ordinary"):
        (tmp_path / name).mkdir()
    corpus = join([ravdess24, crema_d(tmp_path / "crema"), ordinary(tmp_path / "ordinary")])
    protocol = build("leave-one-corpus-out", corpus)
    assert [fold.name for fold in protocol.folds] == ["RAVDESS", "CREMA-D"]
    for fold in protocol.folds:
        of = {
            member: [
                s for c, s in zip(corpus.clips, fold.splits, strict=True) if c.corpus == member
            ]
            for member in corpus.members
        }
        assert set(of.pop(fold.name)) == {"test"}
        assert Counter(of.pop("speechocean762")) == {"train": 14, "test": 4, "val": 2}
        ((other),) = of.values()
        assert set(other) == {"train", "val"}
    with pytest.raises(CorpusError, match="needs two corpora with several labels"):
        build("leave-one-corpus-out", join([ravdess24, ordinary(tmp_path / "ordinary")]))


def test_cross_corpus_trains_on_the_first_and_tests_the_others(
    ravdess24: Corpus, tmp_path: Path
) -> None:
    both = join([ravdess24, crema_d(tmp_path)])
    (fold,) = build("cross-corpus", both).folds
    assert {both.clips[n].corpus for n in fold.members("test")} == {"CREMA-D"}
    assert {both.clips[n].corpus for n in fold.members("train")} == {"RAVDESS"}
    with pytest.raises(CorpusError, match="needs two corpora"):
        build("cross-corpus", ravdess24)


def test_cross_corpus_says_which_clips_state_no_speaker(ravdess24: Corpus, tmp_path: Path) -> None:
    for n in range(3):
        (tmp_path / "other" / "sad").mkdir(parents=True, exist_ok=True)
        (tmp_path / "other" / "sad" / f"{n}.wav").write_bytes(bytes([n]))
    nameless = [replace(c, speaker=None) for c in ravdess24.clips[:2]]
    main = replace(ravdess24, clips=(*nameless, *ravdess24.clips[2:]))
    both = join([main, load_corpus(tmp_path / "other")])
    with pytest.warns(UserWarning, match="state no speaker") as caught:
        (fold,) = build("cross-corpus", both).folds
    said = [str(warning.message) for warning in caught]
    assert said[0].startswith("2 clips state no speaker; they are trained on")
    assert said[1].startswith("3 clips state no speaker; they are tested")
    for clip, split in zip(both.clips, fold.splits, strict=True):
        if not clip.speaker:
            assert split == ("train" if clip.corpus == "RAVDESS" else "test")


def test_cross_corpus_is_evaluated_among_shared_labels(ravdess24: Corpus, tmp_path: Path) -> None:
    """A model trained on CREMA-D cannot know calm and surprised."""
    both = join([crema_d(tmp_path), ravdess24])
    protocol = build("cross-corpus", both)
    probabilities = dict.fromkeys(EMOTIONS, 0.02) | {"calm": 0.5, "happy": 0.3}
    rows: list[dict[str, Any]] = [
        {
            "clip": clip.name,
            "corpus": clip.corpus,
            "speaker": clip.speaker,
            "channel": clip.channel,
            "label": clip.label.label,
            "predicted": "calm",
            "confidence": 0.5,
            "confident": False,
            "probabilities": probabilities,
        }
        for clip in (both.clips[n] for n in protocol.folds[0].members("test"))
    ]
    results = summarize({"1": rows}, both, protocol, EMOTIONS, "default")
    assert list(results) == ["RAVDESS", "RAVDESS-speech", "RAVDESS-song"]
    result = results["RAVDESS"]
    labels = {row["label"] for row in result["predictions"]}
    assert labels == set(EMOTIONS) - {"calm", "surprised"}
    assert {row["predicted"] for row in result["predictions"]} == {"happy"}
    assert result["over_folds"]["uar"]["mean"] == pytest.approx(1 / 6)
    assert result["model"] == "configuration default"
    assert "trained on CREMA-D; evaluated among" in result["protocol"]
    assert "without calm and surprised" in result["protocol"]
    (clean,) = compare(both, protocol, tmp_path, {"1": rows}, corruptions=[])
    assert clean["uar"] == pytest.approx(1 / 6)


CLIPS = [
    Clip(f"{speaker}-{label}-{n}", Emotion(label), Path("x"), speaker=speaker, corpus="C")
    for speaker in ("a", "b", "c")
    for label in (0, 1)
    for n in (0, 1)
]
DIGESTS = [str(n) for n in range(12)]


def by_speaker(**split_of: str) -> Protocol:
    splits = tuple(split_of[clip.speaker or ""] for clip in CLIPS)
    return Protocol("planted", (Fold("1", splits),), unseen_speakers=True)


def test_protocol_without_a_leak_passes() -> None:
    check(by_speaker(a="train", b="val", c="test"), CLIPS, DIGESTS)


def test_planted_duplicate_is_named() -> None:
    digests = [*DIGESTS[:-1], DIGESTS[0]]
    with pytest.raises(CorpusError, match=r"a-0-0 \(train\) and c-1-1 \(test\) are byte-identical"):
        check(by_speaker(a="train", b="val", c="test"), CLIPS, digests)


@pytest.mark.parametrize("split", ["test", "val"])
def test_planted_speaker_is_named(split: str) -> None:
    protocol = by_speaker(a="train", b="val", c="test")
    (fold,) = protocol.folds
    leaky = replace(protocol, folds=(Fold("1", (split, *fold.splits[1:])),))
    with pytest.raises(CorpusError, match=r"a-0-0 .* and a-0-1 .* have the same speaker"):
        check(leaky, CLIPS, DIGESTS)
    check(replace(leaky, unseen_speakers=False), CLIPS, DIGESTS)


def test_class_that_is_tested_but_not_trained_is_named() -> None:
    clips = [*CLIPS[:-1], replace(CLIPS[-1], label=Emotion.ANGRY)]
    with pytest.raises(CorpusError, match="c-1-1 is angry, but no such clip is left"):
        check(by_speaker(a="train", b="val", c="test"), clips, DIGESTS)


def test_empty_split_is_refused() -> None:
    with pytest.raises(CorpusError, match="its val split is empty"):
        check(by_speaker(a="train", b="train", c="test"), CLIPS, DIGESTS)


def test_unsuitable_protocols_are_refused_in_words(ravdess24: Corpus, tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="no protocol 'fair'"):
        build("fair", ravdess24)
    with pytest.raises(CorpusError, match="grouped-25 needs 2 to 24 folds"):
        build("grouped-25", ravdess24)
    own = make(tmp_path / "c", "sad/a.wav", "happy/b.wav")
    with pytest.raises(CorpusError, match="states no speaker"):
        build("grouped-2", own)
    with pytest.raises(CorpusError, match="protocol of RAVDESS, not of c"):
        build("actors", own)
    with pytest.raises(CorpusError, match=r"split is empty|no such clip is left"):
        build("random", own)  # one clip of each class
