"""Provenance records what a model was fitted on and recognises those clips again."""

import base64
import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from audio_emotion import Emotion
from audio_emotion.datasets import Clip
from audio_emotion.datasets.provenance import SETS, FittedClips, Provenance, Use
from audio_emotion.errors import CorpusError

ACTOR = "03-01-05-01-01-01-{:02}"
EMPTY: dict[str, Any] = dict.fromkeys(SETS, "") | {"speakers": [], "counts": []}


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def clip(name: str, corpus: str = "RAVDESS", speaker: str | None = None) -> Clip:
    return Clip(name, Emotion.ANGRY, Path("x"), speaker=speaker, corpus=corpus)


def trained(*names: str, split: str = "train", corpus: str = "RAVDESS") -> Provenance:
    """Use clips whose content is their name, spoken by the last two characters of the name."""
    clips = [clip(name, corpus, name[-2:]) for name in names]
    return Provenance.of(clips, [sha(name) for name in names], [split] * len(names))


def test_uses_name_clip_speaker_and_content() -> None:
    clips = [clip("RAVDESS/" + ACTOR.format(n), speaker=f"{n:02}") for n in (1, 2, 3)]
    found = Provenance.of(clips, [sha("a"), sha("b"), sha("c")], ["test", "", "train"])
    assert found.uses == (
        Use("test", "RAVDESS", ACTOR.format(1), sha("a")[:32], "01"),
        Use("train", "RAVDESS", ACTOR.format(3), sha("c")[:32], "03"),
    )
    assert [use.speaker_id for use in found.own("test")] == ["RAVDESS/01"]
    assert found.digests("train") == {sha("c")[:32]}


def test_compact_form_in_closed_form() -> None:
    found = trained(ACTOR.format(1)).compact()
    name = hashlib.sha256(f"RAVDESS/{ACTOR.format(1)}".encode()).digest()
    content = hashlib.sha256(ACTOR.format(1).encode()).digest()
    assert base64.b64decode(found["train"]) == name[:5] + content[:5]
    more = {"speakers": ["RAVDESS/01"], "counts": ["train 1 RAVDESS"]}
    assert found == EMPTY | {"train": found["train"], **more}
    own = trained("angry/01", corpus="mine").compact()
    assert base64.b64decode(own["train"])[:5] == bytes(5)


def test_clips_are_recognised_by_content_or_published_name() -> None:
    name = ACTOR.format(1)
    fitted = FittedClips(trained(name).compact())
    assert fitted.match("train", clip("renamed", "mine"), sha(name)) == "content"
    assert fitted.match("train", clip(name), sha("re-encoded")) == "name"
    assert fitted.match("train", clip(f"RAVDESS/{name}"), None) == "name"
    assert fitted.match("train", clip(ACTOR.format(2)), sha("new")) is None
    assert fitted.match("train", clip(name, "mine"), sha("new")) is None
    assert not fitted.contains("val", clip(name), sha(name))
    assert not fitted.contains("train", clip(name), sha(name), inherited=True)


@pytest.mark.parametrize("corpus", ["mine", "RAVDESS"])  # a folder may have any name
def test_equal_names_in_own_folders_do_not_match(corpus: str) -> None:
    fitted = FittedClips(trained("angry/01", corpus=corpus).compact())
    assert not fitted.contains("train", clip("angry/01", corpus), sha("another recording"))
    assert not fitted.contains("train", clip("angry/01", corpus), None)
    assert fitted.contains("train", clip("angry/01", corpus), sha("angry/01"))


def test_duplicates_in_a_published_corpus_count_by_name() -> None:
    clips = [clip(ACTOR.format(n)) for n in (1, 2)]
    same = Provenance.of(clips, [sha("a")] * 2, ["val"] * 2)
    fitted = FittedClips(same.compact())
    assert [fitted.count("val", corpora) for corpora in (None, ["RAVDESS"], ["mine"])] == [2, 2, 0]
    assert FittedClips(trained("a/1", "a/2", corpus="mine").compact()).count("train") == 2


def test_inherited_uses_are_kept_over_generations() -> None:
    first = trained(ACTOR.format(1), ACTOR.format(2))
    chosen = trained(ACTOR.format(6), split="val")
    second = trained(ACTOR.format(3)).inheriting(first, chosen)
    third = Provenance((*trained(ACTOR.format(1)).uses, *trained("held/04", split="test").uses))
    found = third.inheriting(second)
    assert [(u.split, u.speaker, u.inherited) for u in found.uses] == [
        ("train", "01", False),
        ("test", "04", False),
        ("train", "02", True),  # the first actor is an own use already
        ("train", "03", True),
        ("val", "06", True),
    ]
    assert found == third.inheriting(second, first).inheriting(chosen, first)
    fitted = FittedClips(found.compact())
    assert fitted.speakers == {f"RAVDESS/{n:02}" for n in (1, 2, 3, 6)}
    assert (fitted.count("train"), fitted.count("test")) == (1, 1)
    assert fitted.contains("train", clip(ACTOR.format(2)), None, inherited=True)
    assert not fitted.contains("train", clip(ACTOR.format(2)), None)


def test_test_clips_are_not_inherited_and_splits_are_told_apart() -> None:
    name = ACTOR.format(1)
    assert not trained("a/01").inheriting(trained(name, split="test")).compact()["inherited_train"]
    found = trained(name, split="test").inheriting(trained(name))
    assert [(u.split, u.inherited) for u in found.uses] == [("test", False), ("train", True)]


def test_json_round_trip() -> None:
    first = Provenance.of([clip("angry/01", "mine")], [sha("x")], ["val"])
    found = trained(ACTOR.format(1)).inheriting(first)
    assert Provenance.from_json(json.loads(json.dumps(found.to_json()))) == found


ROW = ["train", "mine", "a", "0" * 32, None, False]


@pytest.mark.parametrize(
    "rows",
    [
        {},
        "text",
        [[]],
        [ROW, "text"],
        [ROW[:5]],
        [["exam", *ROW[1:]]],
        [[*ROW[:3], "0" * 31, *ROW[4:]]],
        [[*ROW[:3], "g" * 32, *ROW[4:]]],
        [[*ROW[:4], 7, False]],
        [[*ROW[:5], 1]],
        [["test", *ROW[1:5], True]],
    ],
)
def test_malformed_rows_are_refused(rows: Any) -> None:
    assert Provenance.from_json([ROW]).uses == (replace(trained("a").uses[0], corpus="mine",
        digest="0" * 32, speaker=None),)  # fmt: skip
    with pytest.raises(CorpusError, match="provenance is"):
        Provenance.from_json(rows)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"train": None}, "train of the provenance is missing or not base64"),
        ({"val": "@@@@"}, "val of the provenance is missing or not base64"),
        ({"test": "é"}, "test of the provenance is missing or not base64"),
        ({"test": "AAAA"}, "not a whole number of records"),
        ({"speakers": "anna"}, "not a list of names"),
        ({"speakers": [1]}, "not a list of names"),
        ({"counts": "val"}, "not a list of split, number and corpus"),
        ({"counts": ["val RAVDESS"]}, "not a list of split, number and corpus"),
    ],
)
def test_malformed_compact_form_is_refused(change: dict[str, Any], message: str) -> None:
    assert FittedClips(EMPTY).count("train") == 0
    with pytest.raises(ValueError, match=message):
        FittedClips(EMPTY | change)
    with pytest.raises(ValueError, match="missing or not base64"):
        FittedClips({})
