"""What a prediction of an image keeps on the way, and where it goes on after it was ended."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from orgseg_app.learn.prediction.scratch import Scratch

Position = dict[str, int]
"""How far a prediction has come, in numbers that it understands."""


class Keeper:
    """Keeps nothing beyond the process; `work.Work` does.

    Parameters
    ----------
    folder
        Where arrays go that do not fit into memory; the system's folder when not given.

    Attributes
    ----------
    folder
        As given.
    scratch
        Arrays that only this process needs.
    lasting
        Arrays that are needed to go on.
    start, pending
        The position to go on from, None for the beginning, and the array noted with it.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder
        self.scratch = Scratch(folder)
        self.lasting: Scratch = self.scratch
        self.start: Position | None = None
        self.pending: NDArray[np.float32] | None = None

    def reached(
        self, position: Position, pending: NDArray[np.float32] | None = None, *, must: bool = False
    ) -> None:
        """Everything up to a position is done, and what was made of it has been taken.

        Parameters
        ----------
        position
            To go on from.
        pending
            What is needed beside the lasting arrays.
        must
            The position may not be left out: lasting arrays are about to be written over that the
            one before needs.
        """

    def close(self) -> None:
        """Let go of the arrays."""
        self.scratch.close()
