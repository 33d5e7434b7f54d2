"""Predictions on their way into a file: kept beside it, so that a killed command goes on.

`OUT.part` holds a line of JSON that names the command, then one for each result.  It is locked
while its process lives, and becomes `OUT` however that process ends.  If it is killed, the same
command goes on.
"""

import errno
import json
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from io import FileIO
from pathlib import Path
from typing import Self, TypeVar

from ..errors import OutputError, translated
from ..files import atomic_path, locked, refuse_overwrite
from ..inference.result import FileResult
from .predictions import PredictionWriter

SUFFIX = ".part"
FINISHED = b'{"finished": true}\n'  # the last line, before `OUT` appears
FULL = (errno.ENOSPC, errno.EDQUOT)  # errors of a disk without room
T = TypeVar("T")


class PartialOutput:
    """Results kept beside an output until it is written.

    Args:
        out: the output.
        command: what tells a command from others; only the same goes on with what is there.
        threshold: confidence from which a prediction counts as confident.
        force: whether `out` may exist.

    Attributes:
        finished: whether `out` was written before a kill, and only `close` is left to do.

    Raises:
        OutputError: another process writes `out`, `out` exists, what is there was begun by another
            command, or it cannot be written.
    """

    def __init__(self, out: Path, command: str, threshold: float, *, force: bool = False) -> None:
        self.out, self.threshold = out, threshold
        self._begun = self.finished = False
        target = Path(os.path.realpath(out))
        self.path = target.with_name(target.name + SUFFIX)
        self._header = json.dumps({"command": command}).encode() + b"\n"
        with translated(OutputError, self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            file = locked(self.path)
        if file is None:
            raise OutputError(f"{self.path} is being written by another process")
        self._file = file
        try:
            self.finished = not force and out.exists() and self._is_finished()
            if not self.finished:
                refuse_overwrite(out, force)
                with translated(OutputError, self.path):
                    self._begin()
                self._begun = True
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let other processes write; a file without results is removed."""
        if self.finished or self._size() <= (len(self._header) if self._begun else 0):
            self.path.unlink(missing_ok=True)
        self._file.close()

    def missing(self, sources: Sequence[T], name: Callable[[T], str]) -> list[T]:
        """Return the sources without a result; `name` is what results call them."""
        have = Counter(result.file for result in self.results())
        rest = []
        for source in sources:
            have[name(source)] -= 1
            if have[name(source)] < 0:
                rest.append(source)
        return rest

    def add(self, result: FileResult) -> None:
        """Keep a result.

        Raises:
            OutputError: it cannot be written; those before it are kept.
        """
        size = self._size()
        try:
            with translated(OutputError, self.path):
                _write(self._file, json.dumps(result.as_dict()).encode() + b"\n")
        except OutputError:
            self._file.truncate(size)
            raise

    def results(self) -> Iterator[FileResult]:
        """Yield the results that are kept."""
        for line in self._lines():
            yield FileResult.from_dict(json.loads(line), self.threshold)

    def write(self, writer: PredictionWriter, labels: Sequence[str]) -> int:
        """Write the output, and return how many results it holds.

        On a full disk that is as many as fit once those kept beside it are removed.

        Raises:
            OutputError: nothing can be written.
        """
        with suppress(OSError):  # a full disk can do without
            _write(self._file, FINISHED)
        results: Iterable[FileResult] = self.results()
        while True:
            taken = _Counted(results)
            try:
                self._write(writer(taken, labels, False))
                break
            except OutputError as error:
                kept = list(results if isinstance(results, list) else self.results())
                if not kept:
                    raise
                results = self._fewer(kept, taken.count, error)
        self.finished = True
        return taken.count

    def _fewer(self, kept: list[FileResult], taken: int, error: OutputError) -> list[FileResult]:
        """Return the results to try next: all once there is more room, then those that fit."""
        if getattr(error.__cause__, "errno", None) in FULL and self.path.exists():
            self.path.unlink()
            return kept
        return kept[: taken - 1 if taken < len(kept) else len(kept) * 9 // 10]

    def _write(self, texts: Iterable[str]) -> None:
        with atomic_path(self.out) as temporary, FileIO(temporary, "w") as file:
            for text in texts:
                _write(file, text.encode("utf-8", "backslashreplace"))

    def _is_finished(self) -> bool:
        self._file.seek(0)
        content = self._file.read()
        return content.startswith(self._header) and content.endswith(FINISHED)

    def _begin(self) -> None:
        """Check whose file it is, and cut off what was not finished."""
        self._file.seek(0)
        content = self._file.read(len(self._header))
        if not self._header.startswith(content):
            raise OutputError(
                f"{self.path} was begun by another command; finish that one, or remove the file"
            )
        if content != self._header:
            self._file.truncate(0)
            _write(self._file, self._header)
        self._file.truncate(len(self._header) + sum(map(len, self._lines())))

    def _lines(self) -> Iterator[bytes]:
        """Yield the lines that hold a result."""
        with self.path.open("rb") as file, suppress(ValueError, TypeError, KeyError):
            file.seek(len(self._header))
            for line in file:
                FileResult.from_dict(json.loads(line), self.threshold)
                yield line

    def _size(self) -> int:
        return os.fstat(self._file.fileno()).st_size


class _Counted:
    """Results, and how many were taken."""

    def __init__(self, results: Iterable[FileResult]) -> None:
        self._results = results
        self.count = 0

    def __iter__(self) -> Iterator[FileResult]:
        for result in self._results:
            self.count += 1
            yield result


def _write(file: FileIO, content: bytes) -> None:
    while content:
        content = content[file.write(content) or 0 :]
