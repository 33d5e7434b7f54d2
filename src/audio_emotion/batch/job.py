"""What a batch predicts: the task, the model and the settings that its rows depend on."""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from ..audio import MAX_DUR
from ..inference.model_file import default_model
from ..timeline.settings import TimelineSettings
from ..version import __version__

TASKS = ("emotions", "timeline")
VERSION = 1  # of the schema of plan and rows


@dataclass(frozen=True)
class Job:
    """What is predicted, with which model, and what a recording may take."""

    task: str = TASKS[0]
    model: str = ""  # path of the model file; the shipped one if empty
    max_dur: float = MAX_DUR  # s of a recording that `emotions` reads
    time_limit: float = 600.0  # s that a recording may take
    memory: int = 2 << 30  # bytes that a worker may use beside those of the model
    speaker_column: str = ""  # of the results: path of the file of who speaks, or nothing

    @property
    def model_path(self) -> Path:
        """Path of the model file."""
        return Path(self.model) if self.model else default_model()

    def fingerprint(self) -> str:
        """Return what tells apart rows of another model, other settings or another version."""
        digest = hashlib.sha256(self.model_path.read_bytes())
        settings: dict[str, object] = {"max_dur": self.max_dur}
        if self.task == "timeline":
            settings = asdict(TimelineSettings())
        if self.speaker_column:
            settings["speaker_column"] = self.speaker_column
        facts = [VERSION, __version__, self.task, settings]
        digest.update(json.dumps(facts, sort_keys=True).encode())
        return digest.hexdigest()[:16]

    def to_json(self) -> str:
        """Return the text that `from_json` reads."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Return what `to_json` described."""
        return cls(**json.loads(text))
