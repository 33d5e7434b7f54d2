"""Figures that others published, shown beside ours where the protocol is the same."""

import numpy as np

from .metrics import Matrix, accuracy, macro_f1

# The system this package descends from: a two-channel CNN on a stratified random 20 % of RAVDESS
# speech and song, 491 clips of known speakers.  Rows are true labels, in the order of EMOTIONS.
REFERENCE_CONFUSION: Matrix = np.array(
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
REFERENCE_ACCURACY = accuracy(REFERENCE_CONFUSION)  # 0.8248, published as 82.50 %
REFERENCE_MACRO_F1 = macro_f1(REFERENCE_CONFUSION)  # published as 82.29 %
REFERENCE_PROTOCOL = "stratified random 20 % of 2,452 clips, known speakers"


ACTORS = "RAVDESS speech, unseen actors"
Figure = tuple[str, str, str]  # work, protocol as published, and scores
PUBLISHED: dict[tuple[str, str], tuple[Figure, ...]] = {  # by protocol and corpus
    ("random", "RAVDESS"): (
        (
            "the reference system, two-channel CNN",
            REFERENCE_PROTOCOL,
            f"accuracy {100 * REFERENCE_ACCURACY:.2f} %, macro F1 {100 * REFERENCE_MACRO_F1:.2f} %",
        ),
    ),
    ("emobox", "RAVDESS"): (
        (
            "WavLM-base+ layers 4–7 frozen, logistic regression (pretrained)",
            f"{ACTORS}, six folds",
            "79.3 %",
        ),
    ),
    ("luna-jimenez", "RAVDESS"): (
        (
            "LSTM with attention, 47 k parameters, from scratch",
            f"{ACTORS}, five folds",
            "UAR 62.3 % mean, 65.2 % best",
        ),
        ("CNN / ResNet-SE on log-mel, from scratch", f"{ACTORS}, five folds", "UAR 39.2 / 46.4 %"),
        ("CNN14 pretrained on AudioSet, fine-tuned", f"{ACTORS}, by actor", "UAR 76.6 %"),
        ("wav2vec2 / XLS-R 317 M, fine-tuned (pretrained)", f"{ACTORS}, five folds", "81.8–82.3 %"),
    ),
}


def published_for(protocol: str, corpus: str) -> tuple[Figure, ...]:
    """Return the figures published on a protocol and corpus; empty if there are none."""
    return PUBLISHED.get((protocol, corpus), ())
