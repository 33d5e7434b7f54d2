"""Decoded recordings on disk, keyed by their content and every setting that shaped them.

A changed file or a changed setting has another key, so nothing stale can be read.  Samples are
stored as 16-bit PCM, the precision that the corpora were published in.
"""

import hashlib
import json
import os
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from ..audio import Signal
from ..errors import OutputError
from ..files import write_with

VERSION = 1  # of what fills the cache; raise it when that changes
FULL_SCALE = 32_767


def default_folder() -> Path:
    """Return `$AUDIO_EMOTION_CACHE`, or the user's cache folder."""
    import platformdirs

    named = os.environ.get("AUDIO_EMOTION_CACHE")
    return Path(named) if named else Path(platformdirs.user_cache_dir("audio-emotion"))


class SignalCache:
    """Signals by content digest and settings, made on first use."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = (folder or default_folder()) / "signals"
        self._usable = True  # until it cannot be written

    def get(self, digest: str, settings: dict[str, Any], make: Callable[[], Signal]) -> Signal:
        """Return the signal for `digest` and `settings`, from disk or else from `make`.

        A file that was damaged on disk is made again.
        """
        path = self._path(digest, settings)
        pcm = _stored(path)
        if pcm is None:
            pcm = to_pcm(make())
            self._store(path, pcm)
        return cast(Signal, pcm.astype(np.float32) / FULL_SCALE)

    def _store(self, path: Path, pcm: npt.NDArray[np.int16]) -> None:
        if not self._usable:
            return
        try:
            write_with(path, lambda temporary: np.save(temporary, pcm, allow_pickle=False))
        except OutputError as error:
            self._usable = False
            warnings.warn(
                f"decoded recordings are not cached, so each epoch decodes them again: {error}",
                stacklevel=3,
            )

    def _path(self, digest: str, settings: dict[str, Any]) -> Path:
        text = json.dumps([VERSION, digest, settings], sort_keys=True)
        key = hashlib.sha256(text.encode()).hexdigest()
        return self.folder / key[:2] / f"{key}.npy"


def to_pcm(signal: Signal) -> npt.NDArray[np.int16]:
    """Round a signal to 16 bits; one that was read from 16 bits stays as it is."""
    return np.round(np.clip(signal, -1, 1) * FULL_SCALE).astype(np.int16)


def _stored(path: Path) -> npt.NDArray[np.int16] | None:
    """Read what was stored; None if it is missing or damaged."""
    try:
        pcm = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError, MemoryError):
        return None
    sound = isinstance(pcm, np.ndarray) and pcm.dtype == np.int16 and pcm.ndim == 1 and pcm.size
    return pcm if sound else None
