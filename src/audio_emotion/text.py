"""Text that somebody else wrote, parsed within limits."""

from typing import Any

import yaml

MAX_YAML = 20_000  # characters of settings


def parse_yaml(text: str) -> Any:
    """Parse YAML.

    Raises:
        yaml.YAMLError: it is none, or longer, deeper or with larger numbers than settings need.

    >>> parse_yaml("train: {epochs: 3}")
    {'train': {'epochs': 3}}
    """
    if len(text) > MAX_YAML:
        raise yaml.YAMLError(f"it is longer than {MAX_YAML} characters")
    try:
        return yaml.safe_load(text)
    except (ValueError, RecursionError) as error:  # numbers and dates, depth
        raise yaml.YAMLError(str(error)) from error
