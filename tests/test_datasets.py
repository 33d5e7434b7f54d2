"""Corpora are recognised, parsed and summarised, and splits separate no duplicates."""

import csv
import os
import shutil
import zipfile
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from audio_emotion import Emotion
from audio_emotion.datasets import Clip, Corpus, load_corpora, load_corpus
from audio_emotion.datasets.corpus import duplicates
from audio_emotion.datasets.layouts import LAYOUTS
from audio_emotion.datasets.split import assign_splits, stratified_split
from audio_emotion.datasets.summary import as_text, summarize
from audio_emotion.errors import AudioError, CorpusError

SHARES = {"test": 0.2, "val": 0.1, "seed": 0}


def touch(root: Path, *names: str) -> Path:
    """Make empty files; loading a corpus reads names only."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def zipped(root: Path, target: Path) -> Path:
    """Make the two archives as published, without the outer folder."""
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
    assert (clip.speaker, clip.speaker_id, clip.gender) == ("01", "RAVDESS/01", "male")


def test_archives_and_folders_are_the_same_corpus(ravdess: Path, tmp_path: Path) -> None:
    folders, archives = load_corpus(ravdess), load_corpus(zipped(ravdess, tmp_path / "zips"))
    assert [c.name for c in folders.clips] == [c.name for c in archives.clips]
    assert folders.digests() == archives.digests()
    signal, _ = archives.clips[0].read()
    assert signal.size == folders.clips[0].read()[0].size


def test_processes_do_not_share_an_open_archive(
    ravdess: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Forked ones would move each other's position in the file."""
    archive = zipped(ravdess, tmp_path / "zips") / "Audio_Song_Actors_01-24.zip"
    clip = load_corpus(archive).clips[0]
    opened = []
    real = zipfile.ZipFile
    monkeypatch.setattr(zipfile, "ZipFile", lambda path: opened.append(path) or real(path))
    for process in (1, 1, 2, 2):
        monkeypatch.setattr(os, "getpid", lambda process=process: process)
        clip.read()
    assert opened == [archive] * 2


def test_one_archive_is_a_corpus(ravdess: Path, tmp_path: Path) -> None:
    archive = zipped(ravdess, tmp_path / "zips") / "Audio_Song_Actors_01-24.zip"
    assert [clip.channel for clip in load_corpus(archive).clips] == ["song"]


def test_archives_of_any_layout_are_read(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "clips.ZIP", "w") as archive:
        for name in ("a/EB0_anger_1.wav", "a/EB0_anger_1.txt", "a/notes.wav"):
            archive.writestr(name, b"")
    corpus = load_corpus(tmp_path)
    assert [clip.member for clip in corpus.clips] == ["a/EB0_anger_1.wav"]
    assert corpus.skipped_summary() == [
        "nEMO: 1 recording skipped: name does not follow nEMO's pattern (notes.wav)"
    ]


def test_hidden_members_of_archives_are_skipped(wav: Path, tmp_path: Path) -> None:
    path = tmp_path / "one.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.write(wav, "all/EB0_anger_1.wav")
        archive.writestr("__MACOSX/all/._EB0_anger_1.wav", b"resource fork")
    corpus = load_corpus(path)
    assert (len(corpus.clips), corpus.skipped) == (1, ())


def test_damaged_archive_is_named(tmp_path: Path) -> None:
    path = tmp_path / "Audio_Song_Actors_01-24.zip"
    path.write_bytes(b"PK nonsense")
    for given in (path, tmp_path):
        with pytest.raises(CorpusError, match=r"Audio_Song.*not a readable zip"):
            load_corpus(given)


def test_damaged_member_is_an_unreadable_clip(tmp_path: Path) -> None:
    path = tmp_path / "one.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("EB0_anger_1.wav", bytes(range(256)) * 40)
    content = bytearray(path.read_bytes())
    content[46:76] = b"\xff" * 30  # an invalid block, right after the header
    path.write_bytes(content)
    corpus = load_corpus(path)
    assert corpus.digests() == [None]
    with pytest.raises(AudioError, match=r"one\.zip/EB0_anger_1\.wav"):
        corpus.clips[0].read()


def test_bombs_and_encrypted_members_are_unreadable_clips(
    wav: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "one.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(wav, "EB0_anger_1.wav")
        archive.writestr("EB0_anger_2.wav", bytes(200_000))
    monkeypatch.setattr("audio_emotion.datasets.clip.MAX_MEMBER", 150_000)
    small, bomb = load_corpus(path).clips
    assert len(small.read()[0])
    with pytest.raises(AudioError, match=r"EB0_anger_2\.wav .*unpacks to more than"):
        bomb.content()
    content = bytearray(path.read_bytes())
    content[content.find(b"PK\x01\x02") + 8] |= 1  # the flag of encryption, in the directory
    content[6] |= 1  # and in the header of the member
    encrypted = tmp_path / "two.zip"
    encrypted.write_bytes(content)
    clip = load_corpus(encrypted).clips[0]
    with pytest.raises(AudioError, match="encrypted"):
        clip.content()


def test_copies_of_a_clip_count_once_and_are_reported(ravdess: Path, tmp_path: Path) -> None:
    shutil.copytree(ravdess, tmp_path / "twice" / "one")
    shutil.copytree(ravdess, tmp_path / "twice" / "two")
    corpus = load_corpus(tmp_path / "twice")
    assert len(corpus.clips) == 49
    assert all("one" in clip.path.parts for clip in corpus.clips)
    (line,) = corpus.skipped_summary()
    assert line.startswith("RAVDESS: 49 recordings skipped: found twice (03-02-02-01-02-01-01.wav,")
    assert line.endswith(".wav, …)")
    assert line.count(".wav") == 3


def test_crema_d_names_are_parsed(tmp_path: Path) -> None:
    corpus = load_corpus(touch(tmp_path, "1001_DFA_ANG_LO.wav", "voice.wav"))
    assert corpus.name == "CREMA-D"
    (clip,) = corpus.clips
    assert (clip.label, clip.speaker, clip.statement) == (Emotion.ANGRY, "1001", "DFA")
    assert clip.intensity == "low"
    (neutral,) = load_corpus(touch(tmp_path / "n", "1001_DFA_NEU_XX.wav")).clips
    assert (neutral.label, neutral.intensity) == (Emotion.NEUTRAL, None)
    assert [entry.path for entry in corpus.skipped] == [str(tmp_path / "voice.wav")]


def test_nemo_names_are_parsed(tmp_path: Path) -> None:
    names = ("SM0_happiness_12.wav", "EB0_fear_3.opus", "XX0_fear_3.opus", "EB0_disgust_3.opus")
    corpus = load_corpus(touch(tmp_path, *names))
    assert (corpus.name, corpus.licence) == ("nEMO", "CC BY-NC-SA 4.0")
    assert [(c.label, c.speaker_id, c.gender, c.statement) for c in corpus.clips] == [
        (Emotion.FEARFUL, "nEMO/EB0", "female", "3"),
        (Emotion.HAPPY, "nEMO/SM0", "male", "12"),
    ]
    assert len(corpus.skipped) == 2


def test_tess_names_are_parsed(tmp_path: Path) -> None:
    names = ["OAF_angry/OAF_back_angry.wav", "YAF_pleasant_surprised/YAF_youth_ps.wav"]
    corpus = load_corpus(touch(tmp_path / "c", *names, "OAF_Fear/OA_bite_fear.wav", "OAF_x.wav"))
    assert corpus.name == "TESS"
    assert [(c.name, c.label, c.speaker, c.gender, c.statement) for c in corpus.clips] == [
        ("OAF_back_angry", Emotion.ANGRY, "OAF", "female", "back"),
        ("OA_bite_fear", Emotion.FEARFUL, "OAF", "female", "bite"),
        ("YAF_youth_ps", Emotion.SURPRISED, "YAF", "female", "youth"),
    ]
    assert len(corpus.skipped) == 1


def test_savee_names_are_parsed_with_and_without_folders(tmp_path: Path) -> None:
    names = ["a01", "d02", "f03", "h04", "n30", "sa05", "su15"]
    original = touch(
        tmp_path / "a", *(f"AudioData/JK/{name}.wav" for name in names), "Info/a01.wav"
    )
    copy = touch(tmp_path / "b", *(f"ALL/JK_{name}.wav" for name in names), "ALL/XX_a01.wav")
    for corpus in (load_corpus(original), load_corpus(copy)):
        assert (corpus.name, len(corpus.skipped)) == ("SAVEE", 1)
        assert [clip.name for clip in corpus.clips] == [f"JK_{name}" for name in names]
        labels = "angry disgust fearful happy neutral sad surprised"
        assert " ".join(clip.label.label for clip in corpus.clips) == labels
        assert {(clip.speaker, clip.gender) for clip in corpus.clips} == {("JK", "male")}


def test_speechocean_names_are_parsed_with_and_without_folders(tmp_path: Path) -> None:
    published = touch(tmp_path / "a", "WAVE/SPEAKER0001/000010011.WAV", "WAVE/SPEAKER0003/7.WAV")
    copy = touch(tmp_path / "b", "SPEAKER0001_000010011.opus", "SPEAKER0003_7.opus")
    for corpus in (load_corpus(published), load_corpus(copy)):
        assert (corpus.name, corpus.skipped) == ("speechocean762", ())
        facts = [(clip.name, clip.label, clip.speaker) for clip in corpus.clips]
        assert facts == [
            ("SPEAKER0001_000010011", Emotion.NEUTRAL, "0001"),
            ("SPEAKER0003_7", Emotion.NEUTRAL, "0003"),
        ]


def test_emodb_names_are_parsed(tmp_path: Path) -> None:
    names = [f"wav/{speaker}b10{letter}a.wav" for speaker in ("03", "16") for letter in "WEAFTN"]
    corpus = load_corpus(touch(tmp_path / "c", *names, "wav/08a01La.wav", "wav/04a01Wa.wav"))
    assert corpus.name == "EmoDB"
    labels = "fearful disgust happy neutral sad angry"
    assert " ".join(clip.label.label for clip in corpus.clips[:6]) == labels
    assert {c.speaker: (c.gender, c.statement) for c in corpus.clips} == {
        "03": ("male", "b10"),
        "16": ("female", "b10"),
    }
    assert [(Path(s.path).name, s.reason[:13]) for s in corpus.skipped] == [
        ("04a01Wa.wav", "name does not"),
        ("08a01La.wav", "label boredom"),
    ]


def test_an_archive_inside_a_folder_is_read_as_kaggle_packs_it(tmp_path: Path) -> None:
    (tmp_path / "kaggle").mkdir()
    for name, prefixes in {"CREMA-D": ["AudioWAV/"], "RAVDESS": ["", "again/"]}.items():
        names = CREMA_D_NAMES if name == "CREMA-D" else RAVDESS_NAMES
        with zipfile.ZipFile(tmp_path / "kaggle" / "archive.zip", "w") as archive:
            for prefix in prefixes:  # some packs hold everything twice
                for clip in names:
                    archive.writestr(f"{prefix}{clip}", b"")
        for path in (tmp_path / "kaggle", tmp_path / "kaggle" / "archive.zip"):
            corpus = load_corpus(path)
            assert corpus.name == name
            assert len(corpus.clips) == 2


def test_folders_named_after_labels(tmp_path: Path) -> None:
    root = touch(tmp_path / "c", "angry/a.wav", "Fear/a.wav", "other/a.wav", "b.wav")
    corpus = load_corpus(root)
    assert {clip.name: clip.label.label for clip in corpus.clips} == {
        "Fear/a.wav": "fearful",
        "angry/a.wav": "angry",
    }
    assert corpus.skipped_summary() == [
        "c: 2 recordings skipped: not in a folder named after a label (b.wav, a.wav)"
    ]


RAVDESS_NAMES = ("03-01-05-01-01-01-01.wav", "03-01-05-01-01-01-02.wav")
CREMA_D_NAMES = ("1001_DFA_ANG_XX.wav", "1002_DFA_ANG_XX.wav")


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ([*RAVDESS_NAMES, CREMA_D_NAMES[0]], "RAVDESS"),
        ([RAVDESS_NAMES[0], *CREMA_D_NAMES], "CREMA-D"),
        ([*CREMA_D_NAMES, *RAVDESS_NAMES], "RAVDESS"),  # of equals the first of the registry
        ([RAVDESS_NAMES[0], "sad/a.wav", "sad/b.wav"], "c"),
        ([f"angry/{name}" for name in CREMA_D_NAMES], "CREMA-D"),  # class folders come last
        (["notes.wav", "a.wav", "b.wav", "EB0_anger_1.wav"], "nEMO"),  # of known layouts
    ],
)
def test_the_layout_of_most_files_wins(tmp_path: Path, names: list[str], expected: str) -> None:
    assert load_corpus(touch(tmp_path / "c", *names)).name == expected


def test_manifest_states_speakers_and_splits(tmp_path: Path) -> None:
    manifest = tmp_path / "list.csv"
    manifest.write_text("path,label,speaker,split\nvoice.wav,happy,anna,test\n")
    (clip,) = load_corpus(manifest).clips
    assert (clip.path, clip.label) == (tmp_path / "voice.wav", Emotion.HAPPY)
    assert (clip.speaker, clip.split) == ("anna", "test")


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_manifests_as_spreadsheets_write_them(tmp_path: Path, delimiter: str) -> None:
    lines = [
        ["Path", " label", "age", "split", "speaker"],
        [r"sub\a, b.wav", "Joy", "30", "dev", " anna"],
        ["sub/c.wav", "ps", "", "Train", ""],
    ]
    manifest = tmp_path / ("list.tsv" if delimiter == "\t" else "list.csv")
    with manifest.open("w", newline="", encoding="utf-8-sig") as file:
        csv.writer(file, delimiter=delimiter).writerows(lines)
    with pytest.warns(UserWarning, match="columns without use: age"):
        first, second = load_corpus(manifest).clips
    assert (first.path, first.label) == (tmp_path / "sub" / "a, b.wav", Emotion.HAPPY)
    assert (first.split, first.speaker) == ("val", "anna")
    assert (second.split, second.speaker, second.label) == ("train", None, Emotion.SURPRISED)


def test_a_backslash_may_be_part_of_a_name(tmp_path: Path) -> None:
    (tmp_path / "a\\b.wav").touch()
    (tmp_path / "list.csv").write_text("path,label\na\\b.wav,sad\n")
    assert load_corpus(tmp_path / "list.csv").clips[0].path == tmp_path / "a\\b.wav"


def test_silent_clips_are_counted(tmp_path: Path) -> None:
    (tmp_path / "sad").mkdir()
    for name, level in {"a": 0.0, "b": 0.1, "c": 0.5}.items():  # b: a constant
        signal = np.full(1000, level)
        signal[::2] += 1e-3 * (name == "c")
        soundfile.write(tmp_path / "sad" / f"{name}.wav", signal, 8000)
    facts = summarize(load_corpus(tmp_path))
    assert facts["silent"] == ["sad/a.wav", "sad/b.wav"]
    assert "silent          2\n  sad/a.wav\n  sad/b.wav" in as_text(facts)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"path,emotion\na.wav,happy\n", "'label' is missing"),
        (b"path\na.wav\n", "'label' is missing"),
        (b"path,label\na.wav,merry\n", "line 2: label 'merry' is not one of neutral"),
        (b"path,label,split\na.wav,sad,exam\n", "split 'exam' is not one of train"),
        (b"path,label\na.wav,sad\na.wav,sad\n", r"lists a\.wav more than once"),
        (b"path,label\na.wav\n", "number of values differs"),
        (b"path,label,label\na.wav,sad,sad\n", "'label' is there twice"),
        (b"path,label\n", "no labelled recording"),
        (b"path,label\n\xff.wav,sad\n", r"list\.csv is not UTF-8"),
    ],
)
def test_bad_manifest_is_refused_by_line(tmp_path: Path, text: bytes, message: str) -> None:
    manifest = tmp_path / "list.csv"
    manifest.write_bytes(text)
    with pytest.raises(CorpusError, match=message):
        load_corpus(manifest)


def test_custom_labels_are_read_from_folders_and_manifests(tmp_path: Path) -> None:
    labels = ("bored", "angry", "engaged")
    names = [f"{folder}/a.wav" for folder in ("Bored", "anger", "engaged", "elsewhere")]
    corpus = load_corpus(touch(tmp_path / "c", *names), labels)
    assert [int(clip.label) for clip in corpus.clips] == [0, 1, 2]  # by name: Bored, anger, engaged
    assert len(corpus.skipped) == 1
    assert [clip.label.label for clip in load_corpus(tmp_path / "c").clips] == ["angry"]
    manifest = tmp_path / "list.csv"
    manifest.write_text("path,label\nvoice.wav,engaged\n")
    (clip,) = load_corpus(manifest, labels).clips
    assert (clip.label.label, int(clip.label)) == ("engaged", 2)
    with pytest.raises(CorpusError, match="line 2: label 'engaged' is not one of bored, lively"):
        load_corpus(manifest, ("bored", "lively"))


def test_other_labels_of_a_published_corpus_are_skipped(ravdess: Path) -> None:
    corpus = load_corpus(ravdess, ("sad", "bored", "happy"))
    found = {(clip.label.label, int(clip.label)) for clip in corpus.clips}
    assert found == {("sad", 0), ("happy", 2)}
    assert len(corpus.clips) + len(corpus.skipped) == len(load_corpus(ravdess).clips)
    line = "RAVDESS: 7 recordings skipped: label calm is not one of sad, bored, happy ("
    assert any(found.startswith(line) for found in corpus.skipped_summary())
    with pytest.raises(CorpusError, match=r"no labelled recording.*is not one of bored, engaged"):
        load_corpus(ravdess, ("bored", "engaged"))


def test_unknown_layouts_are_refused_with_the_known_ones(tmp_path: Path) -> None:
    for path, message in [(tmp_path, "no known layout"), (tmp_path / "none", "does not exist")]:
        with pytest.raises(CorpusError, match=message) as caught:
            load_corpus(path)
        assert all(layout.name in str(caught.value) for layout in LAYOUTS)
    (tmp_path / "a.txt").touch()
    with pytest.raises(CorpusError, match=r"neither \.csv, \.tsv nor \.zip"):
        load_corpus(tmp_path / "a.txt")


def test_joined_corpora_keep_keys_and_skipped_recordings(tmp_path: Path) -> None:
    touch(tmp_path / "a", *RAVDESS_NAMES, "x.wav")
    touch(tmp_path / "b", *CREMA_D_NAMES, "y.wav")
    corpus = load_corpora([tmp_path / "a", tmp_path / "b"])
    assert (corpus.name, corpus.members) == ("RAVDESS + CREMA-D", ("RAVDESS", "CREMA-D"))
    assert [c.key for c in corpus.clips] == [
        n.removesuffix(".wav") for n in CREMA_D_NAMES + RAVDESS_NAMES
    ]
    assert [line.split(":")[0] for line in corpus.skipped_summary()] == ["RAVDESS", "CREMA-D"]
    with pytest.raises(CorpusError, match="two corpora have the same name"):
        load_corpora([tmp_path / "a", tmp_path / "a"])


def test_summary_counts_everything(ravdess: Path, tmp_path: Path) -> None:
    root = tmp_path / "copy"
    shutil.copytree(ravdess, root)
    folder = root / "Audio_Speech_Actors_01-24" / "Actor_01"
    shutil.copy(folder / "03-01-03-01-01-01-01.wav", folder / "03-01-03-01-01-02-01.wav")
    touch(folder, "03-01-04-01-01-02-01.wav", "notes.wav")
    facts = summarize(load_corpus(root))
    assert facts["clips"] == 51
    assert facts["labels"]["happy"] == 7
    assert facts["channels"] == {"song": 1, "speech": 50}
    assert facts["duplicates"] == [["03-01-03-01-01-01-01", "03-01-03-01-01-02-01"]]
    assert len(facts["unreadable"]) == len(facts["skipped"]) == 1
    assert facts["seconds"]["shortest"] == pytest.approx(1.3)
    text = as_text(facts)
    assert "speakers        6, 8 to 11 clips each" in text
    assert "03-01-03-01-01-01-01 = 03-01-03-01-01-02-01" in text
    assert text.endswith("1 recording skipped: name does not follow RAVDESS's pattern (notes.wav)")


def test_split_is_stratified_and_repeatable() -> None:
    labels = [0] * 50 + [1] * 30 + [2] * 20
    splits = stratified_split(labels, range(100), test=0.2, val=0.1, seed=3)
    counts = Counter(zip(labels, splits, strict=True))
    assert [counts[label, "test"] for label in range(3)] == [10, 6, 4]
    assert [counts[label, "val"] for label in range(3)] == [5, 3, 2]
    assert splits == stratified_split(labels, range(100), test=0.2, val=0.1, seed=3)
    assert splits != stratified_split(labels, range(100), test=0.2, val=0.1, seed=4)


def test_test_split_does_not_depend_on_the_validation_share() -> None:
    labels = [0, 1] * 50
    first = stratified_split(labels, range(100), test=0.2, val=0.1, seed=0)
    second = stratified_split(labels, range(100), test=0.2, val=0.3, seed=0)
    assert [p == "test" for p in first] == [p == "test" for p in second]


@pytest.mark.parametrize("seed", range(20))
def test_duplicates_are_never_separated(seed: int) -> None:
    groups = [i // 3 for i in range(90)]
    splits = stratified_split([0] * 90, groups, test=0.3, val=0.3, seed=seed)
    assert len(set(zip(groups, splits, strict=True))) == 30


def test_stated_splits_are_kept_and_a_leak_is_named() -> None:
    clips = [
        Clip(name, Emotion.SAD, Path(name), split=split)
        for name, split in [("copy", "test"), ("original", "train")]
    ]
    assert assign_splits(clips, ["one", "two"], by="clip", **SHARES) == ["test", "train"]
    with pytest.raises(CorpusError, match=r"copy \(test\) and original .*byte-identical"):
        assign_splits(clips, ["one", "one"], by="clip", **SHARES)
    clips[1] = replace(clips[1], split=None)
    with pytest.raises(CorpusError, match="original states no split"):
        assign_splits(clips, ["one", "two"], by="clip", **SHARES)


def test_speakers_are_kept_whole_in_each_corpus() -> None:
    clips = [
        Clip(f"{corpus}{speaker}{n}", Emotion(n), Path("x"), speaker=str(speaker), corpus=corpus)
        for corpus, speakers in [("A", 10), ("B", 20)]
        for speaker in range(speakers)
        for n in range(3)
    ]
    names = [clip.name for clip in clips]
    splits = assign_splits(clips, names, by="speaker", **SHARES)
    found = {(c.corpus, c.speaker_id, split) for c, split in zip(clips, splits, strict=True)}
    assert len(found) == 30  # each speaker is in one split
    counts = Counter((corpus, split) for corpus, _, split in found)
    assert [counts["A", split] for split in ("train", "val", "test")] == [7, 1, 2]
    assert [counts["B", split] for split in ("train", "val", "test")] == [14, 2, 4]
    nobody = [replace(clips[0], speaker=None), *clips[1:]]
    with pytest.raises(CorpusError, match="A00 states no speaker"):
        assign_splits(nobody, names, by="speaker", **SHARES)
    with pytest.raises(CorpusError, match="none is left to train on"):
        assign_splits(clips[:3], names[:3], by="speaker", **SHARES)


def test_each_file_is_read_once_for_its_digest(
    ravdess: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    digest = Clip.digest
    monkeypatch.setattr(Clip, "digest", lambda clip: (read.append(clip.name), digest(clip))[1])
    corpus = load_corpus(ravdess)
    assert corpus.digests() == corpus.digests()
    assert sorted(read) == [clip.name for clip in corpus.clips]


@pytest.fixture(scope="module")
def real_corpus(real_ravdess: Path) -> Corpus:
    return load_corpus(real_ravdess)


def test_real_ravdess_has_its_known_duplicate(real_corpus: Corpus) -> None:
    speaker = [clip for clip in real_corpus.clips if clip.speaker == "07"]
    found = duplicates(speaker, [clip.digest() for clip in speaker])
    assert ["03-01-03-01-02-01-07", "03-01-03-01-02-02-07"] in found


def test_real_ravdess_lacks_the_songs_it_should(real_corpus: Corpus) -> None:
    songs = [clip for clip in real_corpus.clips if clip.channel == "song"]
    assert not [clip for clip in songs if clip.speaker == "18"]
    assert {clip.label for clip in songs}.isdisjoint({Emotion.DISGUST, Emotion.SURPRISED})
