"""Sessions of ONNX Runtime, and the model files that come with the package."""

from importlib import resources
from pathlib import Path
from typing import Any


def open_session(path: Path, threads: int) -> Any:
    """Return ONNX Runtime's session for a model file.

    Args:
        path: of the file.
        threads: processor threads that it may use; 0 lets ONNX Runtime choose.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def packaged(name: str) -> Path:
    """Return the path of a model file that comes with the package."""
    return Path(str(resources.files(__package__) / "models" / name))
