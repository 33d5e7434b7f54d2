"""Evaluation of models as users run them: protocols, metrics, calibration and corruptions."""
