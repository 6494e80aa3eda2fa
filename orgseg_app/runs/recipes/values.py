"""Values in a recipe's dict, by the paths of its fields."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def value_at(data: Mapping[str, Any], path: str) -> Any:
    """What a recipe's dict holds at a path such as ``"network.width"``."""
    group, _, leaf = path.rpartition(".")
    return (data[group] if group else data)[leaf]


def put_value(data: dict[str, Any], path: str, value: Any) -> None:
    """Put a value into a recipe's dict, in place."""
    group, _, leaf = path.rpartition(".")
    (data[group] if group else data)[leaf] = value


def comparable(value: Any) -> Any:
    """Lists of parts without what is only a default, so that equal recipes compare equal."""
    if isinstance(value, list | tuple):
        return [_plain_part(part) if isinstance(part, dict) else part for part in value]
    return value


def _plain_part(part: dict[str, Any]) -> tuple[object, ...]:
    params = sorted(part.get("params", {}).items())
    return part["name"], part.get("weight", 1.0), part.get("chance", 1.0), params
