"""Configurations as text: YAML files by name or path, what they build on, overrides of a line.

What the keys mean and may be is said in `config`.
"""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Any

import yaml

from .errors import ConfigError


def available() -> list[str]:
    """Names of the configurations that come with the package."""
    return sorted(entry.name[:-5] for entry in _folder().iterdir() if entry.name.endswith(".yaml"))


def values_of(source: str | Path) -> dict[str, Any]:
    """What a file states, on top of what the configuration it names as its `base` states.

    Raises:
        ConfigError: there is no such configuration or file, it is not YAML, or its base is none.
    """
    own = _parse(_read(source), str(source)) or {}
    if not isinstance(own, dict):
        raise ConfigError(f"{source} states no sections, but {own!r}")
    base = own.pop("base", None)
    if base is None:
        return own
    if base not in available() or base == source:
        names = ", ".join(available())
        raise ConfigError(f"{source}: base {base!r} is none of {names}, or is itself")
    return _merged(values_of(base), own)


def _merged(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        both = isinstance(value, dict) and isinstance(below.get(key), dict)
        merged[key] = below[key] | value if both else value
    return merged


def _folder() -> Any:
    return resources.files(__package__) / "configs"


def _read(source: str | Path) -> str:
    if str(source) in available():
        return str((_folder() / f"{source}.yaml").read_text(encoding="utf-8"))
    try:
        return Path(source).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        names = ", ".join(available())
        raise ConfigError(
            f"no configuration '{source}': name one of {names}, or a YAML file ({error})"
        ) from error


def _parse(text: str, origin: str) -> Any:
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError(f"{origin} is not YAML: {error}") from error


def override_value(values: dict[str, Any], override: str) -> None:
    """Put `section.key=value`, its value as YAML reads it, into `values`.

    Raises:
        ConfigError: it is not of that form, or a section on the way is a value.
    """
    path, equals, text = override.partition("=")
    keys = path.strip().split(".")
    if not equals or not all(keys):
        raise ConfigError(f"'{override}' is not of the form section.key=value, as train.lr=5e-4")
    section = values
    for key in keys[:-1]:
        section = section.setdefault(key, {})
        if not isinstance(section, dict):
            raise ConfigError(f"'{override}': {key} is a value, not a section")
    section[keys[-1]] = _number(_parse(text, override))


def _number(value: Any) -> Any:
    """YAML 1.1 reads `5e-4` as text, since it wants a point in it; people do not."""
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return value
    return value
