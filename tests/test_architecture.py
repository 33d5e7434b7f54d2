"""The structure of the package, read from the source: who may import whom, and how large it is."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import audio_emotion

ROOT = Path(audio_emotion.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))
SERVER_ONLY = {"fastapi", "h11", "prometheus_client", "starlette", "uvicorn"}
BATCH_ONLY = {"fsspec", "pyarrow", "ray"}
TRAINING_ONLY = {"captum", "lightning", "onnx", "optuna", "safetensors", "torch"}
LAYERS = {  # parts that each part may import, beside the base
    "inference": {"datasets"},  # its provenance only, see below
    "timeline": {"inference"},
    "datasets": set(),
    "evaluation": {"inference", "datasets"},
    "formats": {"evaluation", "inference", "timeline"},
    "batch": {"formats", "timeline", "inference"},
    "training": {"evaluation", "inference", "datasets", "config"},
    "web": {"formats", "inference", "timeline"},
    "server": {"web", "formats", "timeline", "inference"},
    "client": {"formats", "timeline", "inference"},
    "cli": {
        "batch",
        "server",
        "web",
        "training",
        "formats",
        "timeline",
        "evaluation",
        "inference",
        "datasets",
        "config",
    },
    "config": set(),
}
BASE = {"audio", "errors", "files", "labels", "notices", "text", "threads", "version"}
MOST_FILES, MOST_LINES = 14, 320


def part_of(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


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
    names, part = imported(path), part_of(path)
    if part != "training":
        assert not {name.split(".")[0] for name in names} & TRAINING_ONLY
    if part != "server":
        assert not {name.split(".")[0] for name in names} & SERVER_ONLY
    if part != "batch":
        assert not {name.split(".")[0] for name in names} & BATCH_ONLY
    if part in {"__init__", "__main__"}:
        return
    parts = {name.split(".")[1] for name in names if name.startswith("audio_emotion.")}
    allowed = BASE | LAYERS.get(part, set()) | {part}
    assert not parts - allowed, f"{part} may import {sorted(allowed)} only"
    if part == "inference":
        assert {n for n in names if ".datasets." in n} <= {
            "audio_emotion.datasets.provenance",
            "audio_emotion.datasets.provenance.FittedClips",
        }


def test_importing_and_predicting_need_no_torch(wav: Path) -> None:
    program = (
        "import sys, audio_emotion\n"
        f"audio_emotion.Classifier().file({str(wav)!r})\n"
        "import audio_emotion.cli.app\n"
        f"heavy = {sorted(TRAINING_ONLY | SERVER_ONLY | BATCH_ONLY | {'httpx', 'matplotlib'})}\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    assert result.stdout.strip() == "[]"


def test_files_and_folders_stay_small() -> None:
    assert not {p.name: n for p in FILES if (n := p.read_text().count("\n")) > MOST_LINES}
    folders = {p.parent for p in FILES} - {ROOT / "cli"}
    assert not {f.name: n for f in folders if (n := len([*f.glob("*.py")])) > MOST_FILES}


def test_results_stay_short() -> None:
    assert (ROOT.parents[1] / "docs" / "results.md").read_text().count("\n") < 200


def test_package_data_are_there() -> None:
    models = ROOT / "inference" / "models"
    assert (models / "default.onnx").stat().st_size < 10e6
    assert (models / "default.safetensors").stat().st_size < 10e6
