"""The programs in `examples/` and what the README shows run, and print what they promise."""

import importlib
import re
from pathlib import Path

import pysubs2
import pytest

from audio_emotion import EMOTIONS, Classifier

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def printed(name: str, capsys: pytest.CaptureFixture[str]) -> str:
    """Run an example and return what it prints."""
    importlib.import_module(f"examples.{name}").main()
    return capsys.readouterr().out


def test_every_example_is_tested_and_named_in_the_readme() -> None:
    names = {path.stem for path in (ROOT / "examples").glob("*.py")}
    assert names == set(re.findall(r'printed\("(\w+)"', Path(__file__).read_text(encoding="utf-8")))
    assert names == set(re.findall(r"\(examples/(\w+)\.py\)", README))


def test_predict_file(capsys: pytest.CaptureFixture[str]) -> None:
    first, *ranking = printed("predict_file", capsys).splitlines()
    assert first == "fast_high.flac: happy, not confident"
    assert ranking[0].split()[0] == "happy"
    assert len(ranking) == 3


def test_timeline_srt(capsys: pytest.CaptureFixture[str]) -> None:
    cues = list(pysubs2.SSAFile.from_string(printed("timeline_srt", capsys), format_="srt"))
    assert len(cues) >= 3  # one for each recording at least
    assert cues[0].text.startswith("happy")
    # The recordings last 1.5, 3.1 and 1.6 s, and a second of silence follows each.
    assert [cue.start / 1000 for cue in cues][-1] == pytest.approx(6.5, abs=0.3)


def test_stream_blocks(capsys: pytest.CaptureFixture[str]) -> None:
    lines = printed("stream_blocks", capsys).splitlines()
    assert any("s pushed: Segment(" in line for line in lines)  # before the end is known
    assert lines[-1].startswith("at the end: Segment(")


def test_explain_clip(capsys: pytest.CaptureFixture[str]) -> None:
    sentence, *columns = printed("explain_clip", capsys).splitlines()
    assert sentence.startswith("happy ")
    assert sentence.endswith(" Hz")
    values = [float(line.split()[-1]) for line in columns]
    assert len(values) == 5  # quarters of a second
    assert max(values) > 0


def test_evaluate_folder(capsys: pytest.CaptureFixture[str]) -> None:
    first, *clips = printed("evaluate_folder", capsys).splitlines()
    assert re.fullmatch(r"accuracy \d+%; none of these clips was trained on", first)
    assert len(clips) == 3
    right = [line.split()[1] == line.split()[-1] for line in clips]
    assert first.startswith(f"accuracy {sum(right) / len(right):.0%}")


def test_the_python_of_the_readme_runs(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    blocks = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    names: dict[str, object] = {}
    for block in blocks:
        exec(block, names)
    assert len(blocks) >= 2
    assert capsys.readouterr().out.startswith("happy 0.6")


def test_the_readme_shows_the_labels_of_the_samples() -> None:
    shown = dict(re.findall(r"^(samples/\S+) +(\w+) +\d+%", README, re.MULTILINE))
    recordings = [path for path in (ROOT / "samples").iterdir() if path.suffix != ".py"]
    assert set(shown) == {f"samples/{path.name}" for path in recordings}
    assert set(shown.values()) <= set(EMOTIONS)
    classifier = Classifier()
    for path in recordings:
        assert classifier.file(path).label == shown[f"samples/{path.name}"]
