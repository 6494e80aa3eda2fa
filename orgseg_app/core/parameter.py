"""A number that somebody may set: its usual value, its range, and what it means."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Parameter:
    """One number of a preprocessing step, an augmentation or a loss.

    Attributes
    ----------
    default, minimum, maximum
        Usual value and the range that makes sense, both ends included.
    explanation
        Plain words, with the unit.
    """

    default: float
    minimum: float
    maximum: float
    explanation: str


def complete(
    kind: str, name: str, params: Mapping[str, float], known: Mapping[str, Parameter]
) -> dict[str, float]:
    """All parameters of something: those given, the usual values for the others.

    Parameters
    ----------
    kind, name
        What it is, for the sentence: ``"preprocessing"``, ``"clahe"``.
    params
        Values that differ from the usual ones.
    known
        What may be set.

    Raises
    ------
    ValueError
        With a sentence, for an unknown parameter or a value out of range.

    Examples
    --------
    >>> complete("loss", "focal", {}, {"gamma": Parameter(2, 0, 5, "")})
    {'gamma': 2.0}
    """
    for key, value in params.items():
        if key not in known:
            raise ValueError(f"The {kind} {name!r} has no setting {key!r}.")
        p = known[key]
        if not p.minimum <= value <= p.maximum:
            between = f"{p.minimum:g} and {p.maximum:g}"
            raise ValueError(f"{name}.{key} lies between {between}, not {value:g}.")
    return {key: float(params.get(key, p.default)) for key, p in known.items()}
