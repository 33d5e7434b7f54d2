"""Figures about a model: metrics, the user-path evaluation, published figures, reports."""
