"""Corpora: recognised, parsed, described; splits that leak nothing."""

from __future__ import annotations

import shutil
import zipfile
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from audio_emotion import Emotion
from audio_emotion.config import SplitConfig
from audio_emotion.corpora import Clip, load_corpus
from audio_emotion.corpora.corpus import duplicates, fingerprint
from audio_emotion.corpora.describe import as_text, describe
from audio_emotion.corpora.split import parts_of, read_split, stratified_split, write_split
from audio_emotion.errors import CorpusError


def zipped(root: Path, target: Path) -> Path:
    """The two archives as published: without the outer folder."""
    target.mkdir()
    for folder in sorted(root.iterdir()):
        with zipfile.ZipFile(target / f"{folder.name}.zip", "w") as archive:
            for file in sorted(folder.rglob("*.wav")):
                archive.write(file, file.relative_to(folder))
    return target


def test_ravdess_names_are_parsed(ravdess: Path) -> None:
    corpus = load_corpus(ravdess)
    assert corpus.name == "RAVDESS"
    assert len(corpus.clips) == 49
    clip = next(clip for clip in corpus.clips if clip.name == "03-02-02-01-02-01-01")
    assert (clip.label, clip.channel, clip.intensity) == (Emotion.CALM, "song", "normal")
    assert (clip.statement, clip.repetition) == ("Dogs are sitting by the door", 1)
    assert (clip.speaker, clip.gender) == ("01", "male")


def test_archives_and_folders_are_the_same_corpus(ravdess: Path, tmp_path: Path) -> None:
    folders, archives = load_corpus(ravdess), load_corpus(zipped(ravdess, tmp_path / "zips"))
    assert [c.name for c in folders.clips] == [c.name for c in archives.clips]
    assert folders.digests() == archives.digests()
    signal, _ = archives.clips[0].read()
    assert signal.size == folders.clips[0].read()[0].size


def test_one_archive_alone_is_a_corpus(ravdess: Path, tmp_path: Path) -> None:
    archive = zipped(ravdess, tmp_path / "zips") / "Audio_Song_Actors_01-24.zip"
    assert [clip.channel for clip in load_corpus(archive).clips] == ["song"]


def test_damaged_archive_is_named(tmp_path: Path) -> None:
    path = tmp_path / "Audio_Song_Actors_01-24.zip"
    path.write_bytes(b"PK nonsense")
    with pytest.raises(CorpusError, match=r"Audio_Song.*not a readable zip"):
        load_corpus(path)


def test_a_copy_of_the_speech_set_counts_once(ravdess: Path, tmp_path: Path) -> None:
    shutil.copytree(ravdess, tmp_path / "twice" / "one")
    shutil.copytree(ravdess, tmp_path / "twice" / "two")
    assert len(load_corpus(tmp_path / "twice").clips) == 49


def test_crema_d_names_are_parsed(tmp_path: Path, wav: Path) -> None:
    shutil.copy(wav, tmp_path / "1001_DFA_ANG_XX.wav")
    corpus = load_corpus(tmp_path)
    assert corpus.name == "CREMA-D"
    (clip,) = corpus.clips
    assert (clip.label, clip.speaker, clip.statement) == (Emotion.ANGRY, "1001", "DFA")
    assert corpus.skipped == (str(wav),)


def test_folders_named_by_class(tmp_path: Path, wav: Path) -> None:
    for name in ("angry", "Fear", "other"):
        (tmp_path / "c" / name).mkdir(parents=True)
        shutil.copy(wav, tmp_path / "c" / name)
    corpus = load_corpus(tmp_path / "c")
    assert {clip.name: clip.label.label for clip in corpus.clips} == {
        "Fear/voice.wav": "fearful",
        "angry/voice.wav": "angry",
    }
    assert len(corpus.skipped) == 1


def test_manifest_states_speakers_and_parts(tmp_path: Path, wav: Path) -> None:
    manifest = tmp_path / "list.csv"
    manifest.write_text("path,label,speaker,split\nvoice.wav,happy,anna,test\n")
    (clip,) = load_corpus(manifest).clips
    assert (clip.path, clip.label, clip.speaker, clip.part) == (wav, Emotion.HAPPY, "anna", "test")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("path,emotion\na.wav,happy\n", "'emotion' is unknown or missing"),
        ("path\na.wav\n", "'label' is unknown or missing"),
        ("path,label\na.wav,merry\n", "line 2: label 'merry' is none of neutral"),
        ("path,label,split\na.wav,sad,exam\n", "split 'exam' is none of train"),
        ("path,label\na.wav,sad\na.wav,sad\n", r"lists a\.wav more than once"),
        ("path,label\na.wav\n", "not as many values"),
        ("path,label\n", "no labelled recording"),
    ],
)
def test_bad_manifest_is_refused_by_line(tmp_path: Path, text: str, message: str) -> None:
    manifest = tmp_path / "list.csv"
    manifest.write_text(text)
    with pytest.raises(CorpusError, match=message):
        load_corpus(manifest)


def test_labels_of_ones_own_are_read_where_they_are_named(tmp_path: Path, wav: Path) -> None:
    labels = ("bored", "angry", "engaged")
    for folder in ("Bored", "anger", "engaged", "elsewhere"):
        (tmp_path / "c" / folder).mkdir(parents=True)
        (tmp_path / "c" / folder / "a.wav").write_bytes(wav.read_bytes())
    corpus = load_corpus(tmp_path / "c", labels)
    assert [int(clip.label) for clip in corpus.clips] == [0, 1, 2]  # by name: Bored, anger, engaged
    assert len(corpus.skipped) == 1
    assert [clip.label.label for clip in load_corpus(tmp_path / "c").clips] == ["angry"]
    manifest = tmp_path / "list.csv"
    manifest.write_text("path,label\nvoice.wav,engaged\n")
    (clip,) = load_corpus(manifest, labels).clips
    assert (clip.label.label, int(clip.label)) == ("engaged", 2)
    with pytest.raises(CorpusError, match="line 2: label 'engaged' is none of bored, lively"):
        load_corpus(manifest, ("bored", "lively"))


def test_a_known_corpus_gives_the_labels_that_are_asked_for(ravdess: Path) -> None:
    corpus = load_corpus(ravdess, ("sad", "bored", "happy"))
    assert {(clip.label.label, int(clip.label)) for clip in corpus.clips} == {
        ("sad", 0),
        ("happy", 2),
    }
    assert len(corpus.clips) + len(corpus.skipped) == len(load_corpus(ravdess).clips)
    with pytest.raises(CorpusError, match="no labelled recording"):
        load_corpus(ravdess, ("bored", "engaged"))


def test_unknown_layouts_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="no known layout"):
        load_corpus(tmp_path)
    with pytest.raises(CorpusError, match="does not exist"):
        load_corpus(tmp_path / "none")


def test_description_counts_everything(ravdess: Path, tmp_path: Path) -> None:
    root = tmp_path / "copy"
    shutil.copytree(ravdess, root)
    folder = root / "Audio_Speech_Actors_01-24" / "Actor_01"
    shutil.copy(folder / "03-01-03-01-01-01-01.wav", folder / "03-01-03-01-01-02-01.wav")
    (folder / "03-01-04-01-01-02-01.wav").write_bytes(b"")
    (folder / "notes.wav").write_bytes(b"x")
    facts = describe(load_corpus(root))
    assert facts["clips"] == 51
    assert facts["emotions"]["happy"] == 7
    assert facts["channels"] == {"song": 1, "speech": 50}
    assert facts["duplicates"] == [["03-01-03-01-01-01-01", "03-01-03-01-01-02-01"]]
    assert len(facts["unreadable"]) == len(facts["skipped"]) == 1
    assert facts["seconds"]["shortest"] == pytest.approx(1.3)
    text = as_text(facts)
    assert "speakers        6, 8 to 11 clips each" in text
    assert "03-01-03-01-01-01-01 = 03-01-03-01-01-02-01" in text


def test_split_is_stratified_and_repeatable() -> None:
    labels = [0] * 50 + [1] * 30 + [2] * 20
    parts = stratified_split(labels, range(100), test=0.2, val=0.1, seed=3)
    counts = Counter(zip(labels, parts, strict=True))
    assert [counts[label, "test"] for label in range(3)] == [10, 6, 4]
    assert [counts[label, "val"] for label in range(3)] == [5, 3, 2]
    assert parts == stratified_split(labels, range(100), test=0.2, val=0.1, seed=3)
    assert parts != stratified_split(labels, range(100), test=0.2, val=0.1, seed=4)


def test_test_part_does_not_depend_on_the_validation_share() -> None:
    labels = [0, 1] * 50
    first = stratified_split(labels, range(100), test=0.2, val=0.1, seed=0)
    second = stratified_split(labels, range(100), test=0.2, val=0.3, seed=0)
    assert [p == "test" for p in first] == [p == "test" for p in second]


@pytest.mark.parametrize("seed", range(20))
def test_duplicates_are_never_separated(seed: int) -> None:
    groups = [i // 3 for i in range(90)]
    parts = stratified_split([0] * 90, groups, test=0.3, val=0.3, seed=seed)
    assert len({(group, part) for group, part in zip(groups, parts, strict=True)}) == 30


def test_stated_parts_are_kept_and_a_planted_leak_is_named(tmp_path: Path, wav: Path) -> None:
    shutil.copy(wav, tmp_path / "copy.wav")
    manifest = tmp_path / "list.csv"
    manifest.write_text("path,label,split\nvoice.wav,sad,train\ncopy.wav,sad,test\n")
    corpus = load_corpus(manifest)
    with pytest.raises(CorpusError, match=r"copy\.wav.*voice\.wav.*byte-identical"):
        parts_of(corpus.clips, [d or "" for d in corpus.digests()], SplitConfig())
    parts = parts_of(corpus.clips, ["one", "two"], SplitConfig())
    assert dict(zip([c.name for c in corpus.clips], parts, strict=True)) == {
        "copy.wav": "test",
        "voice.wav": "train",
    }


def test_whole_speakers_are_dealt_in_each_corpus() -> None:
    clips = [
        Clip(f"{corpus}{speaker}{n}", Emotion(n), Path("x"), speaker=str(speaker), corpus=corpus)
        for corpus, speakers in [("A", 10), ("B", 20)]
        for speaker in range(speakers)
        for n in range(3)
    ]
    parts = parts_of(clips, [c.name for c in clips], SplitConfig(by="speaker", test=0.2, val=0.1))
    for corpus, expected in [("A", (7, 1, 2)), ("B", (14, 2, 4))]:
        voices = {
            part: {c.voice for c, p in zip(clips, parts, strict=True) if p == part}
            & {c.voice for c in clips if c.corpus == corpus}
            for part in ("train", "val", "test")
        }
        assert tuple(map(len, voices.values())) == expected
        assert not voices["train"] & voices["test"]
    nobody = [replace(clips[0], speaker=None), *clips[1:]]
    with pytest.raises(CorpusError, match="A00 states no speaker"):
        parts_of(nobody, [c.name for c in clips], SplitConfig(by="speaker"))
    with pytest.raises(CorpusError, match="none is left to train on"):
        parts_of(clips[:3], ["a", "b", "c"], SplitConfig(by="speaker"))


def test_split_file_round_trip(tmp_path: Path, ravdess: Path) -> None:
    clips = load_corpus(ravdess).clips
    write_split(tmp_path / "split.csv", [(clip, "train") for clip in clips])
    assert read_split(tmp_path / "split.csv") == {clip.name: "train" for clip in clips}


def test_fingerprint_knows_the_set_and_not_its_order(ravdess: Path) -> None:
    digests = load_corpus(ravdess).digests()
    assert fingerprint(digests) == fingerprint(reversed(digests))
    assert fingerprint(digests) != fingerprint(digests[1:])


def test_each_file_is_read_once_for_its_digest(
    ravdess: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    content = Clip.content
    monkeypatch.setattr(Clip, "content", lambda clip: (read.append(clip.name), content(clip))[1])
    corpus = load_corpus(ravdess)
    assert corpus.digests() == corpus.digests()
    assert sorted(read) == [clip.name for clip in corpus.clips]


def test_real_ravdess_has_its_known_duplicate(real_ravdess: Path) -> None:
    corpus = load_corpus(real_ravdess)
    assert ["03-01-03-01-02-01-07", "03-01-03-01-02-02-07"] in duplicates(
        corpus.clips, corpus.digests()
    )
    songs = [clip for clip in corpus.clips if clip.channel == "song"]
    assert not [clip for clip in songs if clip.speaker == "18"]
    assert {clip.label for clip in songs}.isdisjoint({Emotion.DISGUST, Emotion.SURPRISED})
