"""What a model file says about itself, read without torch: the header of its safetensors form.

The layout is public: eight bytes with the length of a JSON object (little-endian), that object,
then the numbers. OrgSeg's own facts are one JSON text in its ``__metadata__``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from orgseg_app.runs.errors import RunError

_MOST_HEADER = 64 * 2**20
ENSEMBLE_FORMAT = "orgseg-ensemble"
"""``format`` in the facts of a file that holds several models which decide together."""


def read_model_facts(path: Path) -> dict[str, Any]:
    """The facts of a model: recipe, classes, channels (see `learn.checkpoint.Model.facts`).

    Parameters
    ----------
    path
        A checkpoint, or a model file.

    Raises
    ------
    RunError
        With a sentence, when the file is not there, no model of this program, or an ensemble, which
        has no one recipe.
    """
    facts = _read_facts(path)
    if facts.get("format") == ENSEMBLE_FORMAT:
        raise RunError(
            f'"{path.name}" is an ensemble of several models. It predicts and is compared as one; '
            "for this, choose one of the runs that it was made of."
        )
    if not isinstance(facts.get("recipe"), dict):
        raise _foreign(path)
    return facts


def _read_facts(path: Path) -> dict[str, Any]:
    try:
        with open(path, "rb") as file:
            size = int.from_bytes(file.read(8), "little")
            if not 0 < size <= min(_MOST_HEADER, path.stat().st_size):
                raise ValueError("no header")
            header = msgspec.json.decode(file.read(size))
        facts = msgspec.json.decode(header["__metadata__"]["orgseg"])
        if not isinstance(facts, dict):
            raise ValueError("no facts")
    except OSError as error:
        raise RunError(f'The model "{path.name}" could not be read: {error.strerror}.') from error
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise _foreign(path) from error
    return facts


def _foreign(path: Path) -> RunError:
    return RunError(
        f'"{path.name}" is not an OrgSeg model, or it is damaged. Choose the model of a run.'
    )
