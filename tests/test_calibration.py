"""Calibration agrees with closed forms and scikit-learn."""

import numpy as np
import pytest
from sklearn.metrics import brier_score_loss, log_loss

from audio_emotion.evaluation import calibration

RNG = np.random.default_rng(0)


def drawn(temperature: float, clips: int = 4000) -> tuple[np.ndarray, np.ndarray]:
    """Draw logits, and labels that follow their softmax at `temperature`."""
    logits = 3 * RNG.standard_normal((clips, 8))
    chances = calibration.softmax(logits / temperature)
    labels = np.array([RNG.choice(8, p=row) for row in chances])
    return logits, labels


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_true_temperature_is_found(temperature: float) -> None:
    assert calibration.fit_temperature(*drawn(temperature)) == pytest.approx(temperature, rel=0.06)


def test_other_temperatures_are_less_likely() -> None:
    logits, labels = drawn(2.0, 500)
    best = calibration.fit_temperature(logits, labels)
    losses = [
        log_loss(labels, calibration.softmax(logits / t), labels=range(8))
        for t in (best, 0.97 * best, 1.03 * best)
    ]
    assert losses[0] == min(losses)


def test_impossible_classes_get_no_probability() -> None:
    logits = np.array([[2.0, 0.0, -np.inf]])
    np.testing.assert_allclose(
        calibration.softmax(logits), [[np.e**2 / (1 + np.e**2), 1 / (1 + np.e**2), 0]]
    )
    assert np.isfinite(calibration.fit_temperature(logits, np.array([0])))


def test_calibration_reduces_the_error_of_overconfident_logits() -> None:
    logits, labels = drawn(2.5)
    found = calibration.calibrate(logits, labels)
    assert found.ece_before is not None
    assert found.ece_after is not None
    assert found.ece_before > 0.1
    assert found.ece_after < 0.03
    confidence = calibration.softmax(logits / found.temperature)
    kept = confidence.max(1) >= found.threshold
    assert kept.mean() == pytest.approx(found.coverage)
    assert (confidence.argmax(1) == labels)[kept].mean() >= 0.9


def test_expected_calibration_error_in_closed_form() -> None:
    # Ten clips at 0.95, of which 8 are correct; ten at 0.55, of which 5 are.
    confidence = [0.95] * 10 + [0.55] * 10
    correct = [1] * 8 + [0] * 2 + [1] * 5 + [0] * 5
    assert calibration.expected_calibration_error(confidence, correct) == pytest.approx(
        0.5 * 0.15 + 0.5 * 0.05
    )


def test_brier_score_agrees_with_scikit_learn_for_two_classes() -> None:
    p = RNG.random(200)
    labels = RNG.integers(0, 2, 200)
    ours = calibration.brier_score(np.stack([1 - p, p], 1), labels)
    assert ours == pytest.approx(2 * brier_score_loss(labels, p))


def test_coverage_in_closed_form() -> None:
    shares, accuracies = calibration.coverage_curve([0.9, 0.8, 0.8, 0.1], [1, 1, 0, 0])
    assert shares.tolist() == [0.25, 0.75, 1]  # equal confidences are counted together
    assert accuracies.tolist() == pytest.approx([1, 2 / 3, 0.5])
    assert calibration.accuracy_at(0.5, [0.9, 0.8, 0.8, 0.1], [1, 1, 0, 0]) == pytest.approx(2 / 3)


def test_unreachable_target_makes_nothing_confident() -> None:
    assert calibration.threshold_for([0.9, 0.8], [False, False], 0.9) == 1.0
    assert calibration.threshold_for([0.9, 0.8, 0.7], [True, True, True], 0.9) == 0.7
