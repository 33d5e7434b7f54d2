"""Formats: other libraries read them back, and no name or label can break out of them."""

import base64
import csv
import io
import json
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pysubs2
import pytest
import soundfile
from praatio import textgrid

from audio_emotion import EMOTIONS, Prediction, read_audio, resample
from audio_emotion.errors import OutputError
from audio_emotion.evaluation.analysis import analyse
from audio_emotion.formats import predictions, timelines
from audio_emotion.formats.plot import draw_timeline
from audio_emotion.formats.report import as_html, as_markdown, write_report
from audio_emotion.formats.writers import csv_line
from audio_emotion.inference.result import FileResult
from audio_emotion.timeline import NO_SPEECH, Segment, Timeline

EVIL = 'a "quoted" <b>[red]|x</b> --> {y}\n\r\u2028\x1b[31m\udcff.wav'  # a possible file name
HOSTILE = 'x" --> <i>\n'  # a label that no model file can hold


def timeline_of(*labels: str) -> Timeline:
    """A timeline of 2.3 s whose segments have these labels."""
    edges = np.linspace(0, 2.3, len(labels) + 1).tolist()
    segments = tuple(map(Segment, edges, edges[1:], labels, [0.5] * len(labels)))
    rows = np.random.default_rng(0).dirichlet(np.ones(len(EMOTIONS)), 23).astype(np.float32)
    rows[5:8] = np.nan
    return Timeline(2.3, EMOTIONS, segments, 0.1, rows)


TIMELINE = timeline_of("happy", NO_SPEECH, "uncertain", "sad")
SPEECH = [segment for segment in TIMELINE.segments if segment.label != NO_SPEECH]
WRITERS = {name: writer for name, (writer, _) in timelines.FORMATS.items()}


# --- predictions -----------------------------------------------------------------------------

PREDICTION = Prediction(
    dict(zip(EMOTIONS, [0.1, 0.05, 1 / 3, 0.2, 0.1, 0.1, 0.05, 1 / 15], strict=True)), 2.5, 0.3
)
RESULTS = [
    FileResult("clip.wav", PREDICTION),
    FileResult("bad.wav", error="bad.wav is empty"),
    FileResult(EVIL, PREDICTION),
]


def written(name: str, results: list[FileResult]) -> str:
    return "".join(predictions.get_writer(name, None)(results, EMOTIONS, False))


@pytest.mark.parametrize("name", ["json", "jsonl", "csv"])
def test_a_result_can_be_read_before_the_next_is_written(name: str) -> None:
    text = ""

    def results() -> Iterator[FileResult]:
        for count in range(3):
            assert text.count("clip.wav") == count
            yield RESULTS[0]

    for part in predictions.get_writer(name, None)(results(), EMOTIONS, False):
        text += part
    assert text.count("clip.wav") == 3


def test_json_is_an_indented_list_of_every_result() -> None:
    values = [result.as_dict() for result in RESULTS]
    for count in range(len(values) + 1):
        text = written("json", RESULTS[:count])
        assert text == json.dumps(values[:count], indent=2, ensure_ascii=False) + "\n"


def test_json_lines_are_objects() -> None:
    lines = written("jsonl", RESULTS).split("\n")
    assert lines.pop() == ""
    assert [json.loads(line) for line in lines] == [result.as_dict() for result in RESULTS]


def test_csv_has_a_column_for_each_label_and_quotes_names() -> None:
    lines = io.StringIO(written("csv", RESULTS), newline="")
    first, bad, evil = csv.DictReader(lines)
    assert list(first) == [
        *("file", "label", "confidence", "confident", "duration", "speech_dur"),
        *(*EMOTIONS, "warnings", "error"),
    ]
    assert first["label"] == "happy"
    assert first["confident"] == "true"
    assert float(first["confidence"]) == pytest.approx(1 / 3, abs=1e-6)
    assert sum(float(first[label]) for label in EMOTIONS) == pytest.approx(1, abs=1e-5)
    assert (bad["label"], bad["confident"], bad["error"]) == ("", "", "bad.wav is empty")
    assert evil["file"] == EVIL


@pytest.mark.parametrize("character", [*'\r\n",'])
def test_csv_quotes_every_special_character(character: str) -> None:
    name = f"a{character}b"
    lines = io.StringIO(written("csv", [FileResult(name, error="bad")]), newline="")
    assert [row["file"] for row in csv.DictReader(lines)] == [name]


def test_the_table_has_a_line_for_each_file() -> None:
    header, first, bad, evil = written("table", RESULTS).splitlines()
    assert header.split() == ["file", "label", "confidence", "runner-up", "duration"]
    assert first.split() == ["clip.wav", "happy", "33%", "sad", "20%", "2.5", "s"]
    assert bad.split(maxsplit=2) == ["bad.wav", "error", "bad.wav is empty"]
    assert "[red]" in evil
    assert evil.isprintable()


# --- timelines -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["srt", "vtt"])
def test_subtitles_hold_the_segments_with_speech(name: str) -> None:
    cues = pysubs2.SSAFile.from_string(WRITERS[name](TIMELINE, ""), format_=name)
    assert [cue.start / 1000 for cue in cues] == pytest.approx([s.start for s in SPEECH], abs=1e-3)
    assert [cue.end / 1000 for cue in cues] == pytest.approx([s.end for s in SPEECH], abs=1e-3)
    assert [cue.text for cue in cues] == ["happy 50%", "uncertain 50%", "sad 50%"]


def test_a_textgrid_covers_the_recording(tmp_path: Path) -> None:
    path = tmp_path / "talk.TextGrid"
    path.write_text(WRITERS["textgrid"](TIMELINE, ""))
    tier = textgrid.openTextgrid(str(path), includeEmptyIntervals=True).getTier("emotion")
    assert [(entry.start, entry.end, entry.label) for entry in tier.entries] == [
        (pytest.approx(s.start, abs=1e-5), pytest.approx(s.end, abs=1e-5), s.label)
        for s in TIMELINE.segments
    ]


def test_the_schema_of_json_is_version_2() -> None:
    values = json.loads(WRITERS["json"](TIMELINE, ""))
    assert (values["schema"], values["version"]) == ("audio-emotion-timeline", 2)
    assert set(values) == {
        *("schema", "version", "duration", "labels", "segments", "durations", "step_dur"),
        *("probabilities", "broken", "warnings", "clipped"),
    }
    assert [list(segment) for segment in values["segments"]] == [
        ["start", "end", "label", "confidence"]
    ] * 4
    assert values["durations"] == pytest.approx(TIMELINE.durations(), abs=1e-3)
    assert values["probabilities"][5:8] == [None] * 3
    rows = [row or [np.nan] * len(EMOTIONS) for row in values["probabilities"]]
    np.testing.assert_allclose(rows, TIMELINE.probabilities, atol=1e-4)


def test_csv_and_audacity_hold_every_segment() -> None:
    table = csv.DictReader(io.StringIO(WRITERS["csv"](TIMELINE, "")))
    track = csv.reader(io.StringIO(WRITERS["audacity"](TIMELINE, "")), delimiter="\t")
    expected = [(pytest.approx(s.start, abs=1e-3), s.label) for s in TIMELINE.segments]
    assert [(float(row["start"]), row["label"]) for row in table] == expected
    assert [(float(start), label) for start, _, label in track] == expected


def test_hostile_labels_cannot_break_a_format(tmp_path: Path) -> None:
    evil = timeline_of(HOSTILE, "sad")
    texts = {name: WRITERS[name](evil, "") for name in WRITERS if name != "html"}
    for name in ("srt", "vtt"):
        assert texts[name].count("-->") == 2
        assert "<" not in texts[name]
    for name in ("table", "audacity"):
        plain = WRITERS[name](timeline_of("happy", "sad"), "")
        assert len(texts[name].splitlines()) == len(plain.splitlines())
    assert json.loads(texts["json"])["segments"][0]["label"] == HOSTILE
    rows = list(csv.DictReader(io.StringIO(texts["csv"], newline="")))
    assert [row["label"] for row in rows] == [HOSTILE, "sad"]
    assert r'text = "x"" --> <i>\n"' in texts["textgrid"]  # Praat doubles quotes
    (tmp_path / "evil.TextGrid").write_text(texts["textgrid"])
    grid = textgrid.openTextgrid(str(tmp_path / "evil.TextGrid"), includeEmptyIntervals=True)
    assert [entry.label for entry in grid.getTier("emotion").entries] == [
        HOSTILE.replace("\n", "\\n"),
        "sad",
    ]


class Page(HTMLParser):
    """Checks that tags are closed; collects buttons, references, cells and text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.starts: list[float] = []
        self.references: list[str] = []
        self.tags: list[str] = []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        facts = dict(attrs)
        self.tags.append(tag)
        self.references += [facts[name] or "" for name in ("src", "href") if name in facts]
        if tag == "button":
            self.starts.append(float(facts["data-start"] or ""))
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def assert_self_contained(text: str) -> None:
    assert "default-src 'none'" in text
    assert not {"link", "img", "iframe", "object"} & set(Page(text).tags)
    for outside in ("http:", "https:", "url(", "@import"):
        assert outside not in text


def test_the_page_of_a_timeline_contains_the_sound(wav: Path) -> None:
    page = Page(WRITERS["html"](TIMELINE, wav))
    (sound,) = page.references
    assert sound.startswith("data:audio/ogg;base64,")
    embedded, plain = (
        read_audio(source) for source in (base64.b64decode(sound.partition(",")[2]), wav)
    )
    assert len(embedded[0]) / embedded[1] == pytest.approx(2.3, abs=0.1)
    loudness = [np.abs(resample(*one, 1000)[:2000]) for one in (embedded, plain)]
    assert np.corrcoef(*loudness)[0, 1] > 0.7


def test_the_page_of_a_channel_contains_its_sound(wav: Path, tmp_path: Path) -> None:
    signal, rate = read_audio(wav)
    opposite = tmp_path / "opposite.wav"
    soundfile.write(opposite, np.stack([signal, -signal, 0 * signal], 1), rate)

    def loudness(channel: int | None) -> float:
        (sound,) = Page(WRITERS["html"](replace(TIMELINE, channel=channel), opposite)).references
        embedded, _ = read_audio(base64.b64decode(sound.partition(",")[2]))
        return float(np.sqrt(np.square(embedded).mean() / np.square(signal).mean()))

    assert loudness(1) == pytest.approx(1, abs=0.2)
    assert loudness(3) < 0.01
    assert loudness(None) == pytest.approx(1, abs=0.2)  # where the mean would be silent


def test_the_page_of_a_timeline_shows_everything(wav: Path) -> None:
    text = WRITERS["html"](TIMELINE, wav)
    page = Page(text)
    assert page.starts == [pytest.approx(s.start, abs=1e-3) for s in SPEECH]
    assert page.tags.count("polygon") == 1 + len(EMOTIONS)  # waveform and probabilities
    assert page.tags.count("tr") == len(TIMELINE.durations())
    assert page.tags.count("script") == 1
    assert_self_contained(text)


def test_a_page_escapes_names_and_labels(wav: Path, tmp_path: Path) -> None:
    path = tmp_path / "<script>alert('x')<b>\"&amp;.wav"
    path.write_bytes(wav.read_bytes())
    page = Page(WRITERS["html"](timeline_of('"><script>x', "sad"), path))
    assert page.tags.count("script") == 1
    assert "b" not in page.tags


def test_a_timeline_is_drawn(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    draw_timeline(TIMELINE, tmp_path / "talk.svg")
    assert (tmp_path / "talk.svg").read_text().rstrip().endswith("</svg>")


# --- choosing a format -----------------------------------------------------------------------


@pytest.mark.parametrize("formats", [predictions, timelines])
def test_formats_are_chosen_by_name_or_suffix(formats: Any) -> None:
    assert formats.get_writer(None, None) is formats.FORMATS["table"][0]
    for name, (writer, suffixes) in formats.FORMATS.items():
        assert formats.get_writer(name, Path("x.anything")) is writer
        for suffix in suffixes:
            assert formats.get_writer(None, Path(f"x{suffix.upper()}")) is writer


@pytest.mark.parametrize("formats", [predictions, timelines])
def test_unknown_formats_are_refused_with_a_list(formats: Any) -> None:
    with pytest.raises(OutputError, match=r"no format 'docx'; choose one of .*csv \(\.csv\)"):
        formats.get_writer("docx", None)
    with pytest.raises(OutputError, match=r"talk\.docx belongs to no format.*json \(\.json\)"):
        formats.get_writer(None, Path("talk.docx"))


# --- reports ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def result() -> dict[str, Any]:
    """An evaluation of random predictions of clips whose names hold markup."""
    rng, rows = np.random.default_rng(0), []
    for number, values in enumerate(rng.dirichlet(np.ones(len(EMOTIONS)), 256).tolist()):
        probabilities = dict(zip(EMOTIONS, values, strict=True))
        best = max(probabilities, key=probabilities.__getitem__)
        rows.append(
            {
                "clip": f"<b>|{number}|\n",
                "label": EMOTIONS[number % 8],
                "predicted": best,
                "confidence": probabilities[best],
                "confident": probabilities[best] > 0.5,
                "probabilities": probabilities,
                "speaker": f"RAVDESS/{number % 4}",
                "channel": ("speech", "song")[number % 2],
            }
        )
    about = {"model": "m.onnx", "corpus": "RAVDESS", "split": "test"}
    protocol = {"protocol": "held-out clips", "protocol_name": "random"}
    return about | protocol | analyse(rows, EMOTIONS) | {"errors": [], "predictions": rows}


def test_a_report_is_written_once_in_three_formats(result: dict[str, Any], tmp_path: Path) -> None:
    folder = tmp_path / "report"
    write_report(result, folder)
    assert json.loads((folder / "report.json").read_text()) == result
    assert (folder / "report.md").read_text() == as_markdown(result)
    assert (folder / "report.html").read_text() == as_html(result)
    with pytest.raises(OutputError, match="exists already"):
        write_report(result, folder)
    write_report(result, folder, force=True)


def test_a_report_has_published_scores_beside_its_own(result: dict[str, Any]) -> None:
    for text in (as_markdown(result), as_html(result)):
        assert "82.48" in text
        assert f"{100 * result['scores']['uar']['value']:.2f}" in text


def test_the_page_of_a_report_is_complete_and_self_contained(result: dict[str, Any]) -> None:
    text = as_html(result)
    page = Page(text)
    assert not page.references
    assert page.tags.count("td") > 2 * 64  # both confusion matrices
    assert page.tags.count("svg") == 2
    assert {"script", "b"}.isdisjoint(page.tags)
    assert_self_contained(text)


def test_names_cannot_break_a_markdown_table(result: dict[str, Any]) -> None:
    text = as_markdown(result | {"corpus": "<script>alert(1)</script>"})
    assert "<b>" not in text
    assert "<script>" not in text
    lines = text[text.index("## Most confident mistakes") :].splitlines()[2:]
    assert {line.replace("\\|", "").count("|") for line in lines if line} == {5}


def test_names_cannot_inject_markup_into_a_page(result: dict[str, Any]) -> None:
    page = Page(as_html(result | {"corpus": '"><script>alert(1)</script>'}))
    assert "script" not in page.tags


@pytest.mark.parametrize("text", ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1"])
def test_a_spreadsheet_runs_no_cell(text: str) -> None:
    assert next(csv.reader([csv_line([text])])) == [f"'{text}"]


@pytest.mark.parametrize("text", ["-0.5", "+3", "a=b", "-", ""])
def test_other_cells_stay(text: str) -> None:
    assert next(csv.reader([csv_line([text, "x"])])) == [text, "x"]
