"""Published corpora that are recognised by the names of their files: one module each."""

from .crema_d import CREMA_D
from .layout import Layout, Recording, collect, find_recordings
from .nemo import NEMO
from .ordinary import ORDINARY
from .ravdess import RAVDESS

LAYOUTS = (RAVDESS, CREMA_D, NEMO, ORDINARY)  # ties of a folder's majority go to the first

__all__ = ["LAYOUTS", "Layout", "Recording", "collect", "find_recordings"]
