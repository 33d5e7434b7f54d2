"""Figures that others published, to stand beside ours where the protocol is the same."""

from __future__ import annotations

import numpy as np

from .metrics import Matrix, accuracy, macro_f1, recall

# The system this package descends from: a two-channel CNN on a stratified random 20 % of RAVDESS
# speech and song, 491 clips of known speakers.  Rows are the truth, in the order of EMOTIONS.
SOURCE_CONFUSION: Matrix = np.array(
    [
        [32, 1, 1, 4, 0, 0, 0, 0],
        [4, 62, 2, 7, 0, 0, 0, 0],
        [2, 1, 62, 2, 2, 3, 1, 2],
        [1, 2, 1, 59, 1, 10, 0, 1],
        [0, 0, 0, 0, 66, 0, 7, 2],
        [0, 0, 2, 10, 2, 59, 1, 1],
        [0, 0, 1, 1, 1, 2, 33, 1],
        [1, 0, 1, 0, 0, 1, 4, 32],
    ]
)
SOURCE_ACCURACY = accuracy(SOURCE_CONFUSION)  # 0.8248, published as 82.50 %
SOURCE_MACRO_F1 = macro_f1(SOURCE_CONFUSION)  # published as 82.29 %
SOURCE_RECALL = recall(SOURCE_CONFUSION)
SOURCE_PROTOCOL = "stratified random 20 % of 2,452 clips, known speakers"
