"""What a wheel holds that was built where the runtime of the page was fetched."""

import subprocess
import sys
import zipfile
from pathlib import Path

from browsing import ROOT

from audio_emotion.web import site


def test_a_wheel_has_models_and_page_and_runtime(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", tmp_path, ROOT]
    subprocess.run(command, check=True)
    (wheel,) = tmp_path.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    page = {f"audio_emotion/web/page/{name}" for name in (*site.RUNTIME, "index.html", "page.js")}
    models = {f"audio_emotion/inference/models/{n}.onnx" for n in ("default", "speech")}
    assert page | models <= names
    assert not [name for name in names if "test" in name or name.endswith(".flac")]
