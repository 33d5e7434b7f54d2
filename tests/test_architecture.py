"""Which part may know which: read from the imports themselves."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import audio_emotion

ROOT = Path(audio_emotion.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))
LAB_ONLY = {
    "captum",
    "torch",
    "lightning",
    "torchmetrics",
    "safetensors",
    "onnx",
    "matplotlib",
    "optuna",
}


def imported(path: Path) -> set[str]:
    """Absolute names of everything a file imports, at any depth."""
    package = ("audio_emotion", *path.relative_to(ROOT).parts[:-1])
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join([*base, *([node.module] if node.module else [])])
            names |= {module, *(f"{module}.{alias.name}" for alias in node.names)}
    return names


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_dependencies_point_one_way(path: Path) -> None:
    names, part = imported(path), path.relative_to(ROOT).parts[0]
    roots = {name.split(".")[0] for name in names}
    if part != "lab":
        assert not roots & LAB_ONLY, "only lab may know these"
    if part not in {"lab", "cli"}:
        assert not [name for name in names if f"{name}.".startswith("audio_emotion.lab.")]
    if part != "cli":
        assert not [name for name in names if f"{name}.".startswith("audio_emotion.cli.")]
    if part == "corpora":
        assert not [name for name in names if ".classifier" in name or ".evaluation" in name]


def test_importing_and_predicting_need_no_torch(wav: Path) -> None:
    program = (
        "import sys, audio_emotion\n"
        f"audio_emotion.Classifier().file({str(wav)!r})\n"
        "import audio_emotion.cli.app\n"
        f"heavy = {sorted(LAB_ONLY)} \n"
        "print([name for name in heavy if name in sys.modules])"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    assert result.stdout.strip() == "[]"


def test_no_file_is_longer_than_350_lines() -> None:
    long = {path.name: n for path in FILES if (n := path.read_text().count("\n")) > 350}
    assert not long


def test_package_data_are_there() -> None:
    assert (ROOT / "models" / "default.onnx").stat().st_size < 25e6
    assert (ROOT / "models" / "LICENSE-weights.md").is_file()
