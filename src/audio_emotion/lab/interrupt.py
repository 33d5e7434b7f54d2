"""Ctrl-C that ends a training between two batches, where nothing on the way can swallow it."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import lightning as L


class Interrupt(L.Callback):
    """Remembers Ctrl-C until the next batch begins; a second one ends the training where it is.

    A `KeyboardInterrupt` that is raised inside a destructor, or another call whose errors Python
    only prints, is lost, and the training would go on.
    """

    def __init__(self) -> None:
        self.struck = False

    @contextmanager
    def listening(self) -> Iterator[None]:
        """For as long as the context lasts; signals reach the main thread only."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = signal.signal(signal.SIGINT, self._strike)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)

    def on_train_batch_start(self, *_: Any) -> None:
        """End here what Ctrl-C asked to end."""
        if self.struck:
            raise KeyboardInterrupt

    def on_validation_batch_start(self, *_: Any) -> None:
        """End here what Ctrl-C asked to end."""
        if self.struck:
            raise KeyboardInterrupt

    def _strike(self, *_: Any) -> None:
        if self.struck:
            raise KeyboardInterrupt
        self.struck = True
