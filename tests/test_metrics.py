"""Scores agree with closed forms, scikit-learn and published figures."""

import numpy as np
import pytest
from sklearn import metrics as sklearn

from audio_emotion.evaluation import metrics, published

RNG = np.random.default_rng(0)
TRUTH = RNG.integers(0, 8, 400)
PREDICTED = np.where(RNG.random(400) < 0.7, TRUTH, RNG.integers(0, 8, 400))


def test_scores_agree_with_scikit_learn() -> None:
    matrix = metrics.confusion_matrix(TRUTH, PREDICTED, 8)
    np.testing.assert_array_equal(matrix, sklearn.confusion_matrix(TRUTH, PREDICTED))
    assert metrics.accuracy(matrix) == pytest.approx(sklearn.accuracy_score(TRUTH, PREDICTED))
    assert metrics.macro_f1(matrix) == pytest.approx(
        sklearn.f1_score(TRUTH, PREDICTED, average="macro")
    )
    assert metrics.unweighted_average_recall(matrix) == pytest.approx(
        sklearn.balanced_accuracy_score(TRUTH, PREDICTED)
    )
    for name in ("precision", "recall", "f1"):
        reference = getattr(sklearn, f"{name}_score")(TRUTH, PREDICTED, average=None)
        np.testing.assert_allclose(getattr(metrics, name)(matrix), reference)


def test_class_without_clips_is_left_out_of_means() -> None:
    matrix = metrics.confusion_matrix([0, 0, 1], [0, 2, 1], 3)
    assert metrics.unweighted_average_recall(matrix) == pytest.approx(0.75)
    assert np.isnan(metrics.recall(matrix)[2])
    assert metrics.precision(matrix)[2] == 0


@pytest.mark.parametrize(
    ("truth", "predicted"), [([], []), ([0], [0, 1]), ([0], [8]), ([-1], [0]), ([[0]], [[0]])]
)
def test_invalid_classes_are_refused(truth: list[int], predicted: list[int]) -> None:
    with pytest.raises(ValueError, match=r"must be equal|outside"):
        metrics.confusion_matrix(truth, predicted, 8)


def test_bootstrap_interval_is_as_wide_as_the_binomial_one() -> None:
    low, high = metrics.bootstrap_intervals(TRUTH, PREDICTED, 8)["accuracy"]
    share = (TRUTH == PREDICTED).mean()
    half_width = 1.96 * np.sqrt(share * (1 - share) / 400)
    assert low == pytest.approx(share - half_width, abs=0.01)
    assert high == pytest.approx(share + half_width, abs=0.01)


def test_bootstrap_is_seeded() -> None:
    runs = [metrics.bootstrap_intervals(TRUTH, PREDICTED, 8, resamples=50, seed=1) for _ in "ab"]
    assert runs[0] == runs[1]


def test_published_matrix_gives_the_published_figures() -> None:
    assert published.REFERENCE_CONFUSION.sum() == 491
    # 82.50 % was published; the matrix gives 405 of 491.
    assert pytest.approx(0.8250, abs=3e-4) == published.REFERENCE_ACCURACY
    assert pytest.approx(0.8229, abs=1e-4) == published.REFERENCE_MACRO_F1
    np.testing.assert_allclose(
        100 * metrics.recall(published.REFERENCE_CONFUSION),
        [84.21, 82.67, 82.67, 78.67, 88.00, 78.67, 84.62, 82.05],
        atol=0.01,
    )
