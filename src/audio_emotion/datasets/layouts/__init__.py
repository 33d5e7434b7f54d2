"""Published corpora that are recognised by the names of their files: one module each."""

from .crema_d import CREMA_D
from .emodb import EMODB
from .layout import Layout, Recording, collect, find_recordings
from .nemo import NEMO
from .ordinary import ORDINARY
from .ravdess import RAVDESS
from .savee import SAVEE
from .tess import TESS

# Ties of a folder's majority go to the first.
LAYOUTS = (RAVDESS, CREMA_D, NEMO, TESS, SAVEE, EMODB, ORDINARY)

__all__ = ["LAYOUTS", "Layout", "Recording", "collect", "find_recordings"]
