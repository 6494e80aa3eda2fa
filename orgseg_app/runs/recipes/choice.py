"""One thing that a recipe may name."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field

from orgseg_app.core.parameter import Parameter


@dataclass(frozen=True)
class Choice:
    """One thing that can be chosen by name.

    Attributes
    ----------
    name : str
        As written in a recipe.
    title : str
        As shown to a person.
    about : str
        One line: what it does and when to take it.
    source : str
        Who described it first, where.
    params : mapping of str to Parameter
        Its numbers, by name.
    """

    name: str
    title: str
    about: str
    source: str
    params: Mapping[str, Parameter] = field(default_factory=dict)


def table(*choices: Choice) -> dict[str, Choice]:
    """Choices by their names, in order."""
    return {choice.name: choice for choice in choices}


def closest(name: str, known: Mapping[str, object] | list[str]) -> str:
    """``" Did you mean …?"`` for a misspelt name, or an empty string.

    Examples
    --------
    >>> closest("unett", {"unet": 1})
    ' Did you mean "unet"?'
    """
    found = difflib.get_close_matches(name.lower(), list(known), n=1, cutoff=0.6)
    return f' Did you mean "{found[0]}"?' if found else ""
