"""Figures that others published, to stand beside ours where the protocol is the same."""

from __future__ import annotations

from dataclasses import dataclass

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


@dataclass(frozen=True)
class Figure:
    """A published figure, on the protocol it was published for."""

    work: str
    protocol: str  # as published
    scores: str


ON_RAVDESS_SPEECH = "RAVDESS speech, unseen actors"
FIGURES = {  # by protocol, and what of RAVDESS is judged
    ("random", "RAVDESS"): (
        Figure(
            "the source system, two-channel CNN",
            SOURCE_PROTOCOL,
            f"accuracy {100 * SOURCE_ACCURACY:.2f} %, macro F1 {100 * SOURCE_MACRO_F1:.2f} %",
        ),
    ),
    ("emobox", "RAVDESS"): (
        Figure(
            "WavLM-base+ layers 4–7 frozen, logistic regression (pretrained)",
            f"{ON_RAVDESS_SPEECH}, six folds",
            "79.3 %",
        ),
    ),
    ("luna-jimenez", "RAVDESS"): (
        Figure(
            "LSTM with attention, 47 k parameters, from scratch",
            f"{ON_RAVDESS_SPEECH}, five folds",
            "UAR 62.3 % mean, 65.2 % best",
        ),
        Figure(
            "CNN / ResNet-SE on log-mel, from scratch",
            f"{ON_RAVDESS_SPEECH}, five folds",
            "UAR 39.2 / 46.4 %",
        ),
        Figure(
            "CNN14 pretrained on AudioSet, fine-tuned",
            f"{ON_RAVDESS_SPEECH}, by actor",
            "UAR 76.6 %",
        ),
        Figure(
            "wav2vec2 / XLS-R 317 M, fine-tuned (pretrained)",
            f"{ON_RAVDESS_SPEECH}, five folds",
            "81.8–82.3 %",
        ),
    ),
}


def figures_for(protocol: str, judged: str) -> tuple[Figure, ...]:
    """Published figures on the same protocol and clips; none where there are none."""
    return FIGURES.get((protocol, judged), ())
