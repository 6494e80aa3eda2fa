"""The ladder of a training that runs out of memory: every rung is said, none ends the run."""

from __future__ import annotations

import time
from collections.abc import Callable

from orgseg_app.learn.device import Device, free_memory
from orgseg_app.learn.errors import OutOfMemoryError
from orgseg_app.learn.training.resume import State
from orgseg_app.runs.recipes.schema import Recipe

SMALLEST_PATCH = 32
WAITS_S = (2.0, 10.0, 30.0)
"""How long to wait on the last rung for other programs to give memory back."""


class MemoryLadder:
    """Half the patches at once, then half their size, then the processor, then patience.

    Parameters
    ----------
    recipe, state
        What was asked, and what has become of it; `State.micro_batch` and `State.patch_size` are
        changed here.
    multiple
        The network's; patches are no smaller than twice that.
    say
        Gets a sentence for every rung.
    is_alone
        False when several processes train together: then patches keep their size and everyone its
        device, because all would have to follow.
    """

    def __init__(
        self,
        recipe: Recipe,
        state: State,
        *,
        multiple: int,
        say: Callable[[str], None],
        is_alone: bool = True,
    ) -> None:
        self._recipe, self._state, self._say = recipe, state, say
        self._least = max(SMALLEST_PATCH, 2 * multiple)
        self._is_alone = is_alone
        self._waits = list(WAITS_S)

    def step_down(self, device: Device) -> bool:
        """Use less memory from the next try on.

        Parameters
        ----------
        device
            Where it ran out.

        Returns
        -------
        bool
            True when the training has to move to the processor.

        Raises
        ------
        OutOfMemoryError
            With a sentence, when even the smallest did not fit after all waiting.
        """
        free_memory()
        state, batch, half = self._state, self._recipe.batch_size, self._state.patch_size // 2
        if state.micro_batch > 1:
            state.micro_batch = -(-state.micro_batch // 2)
            self._say(
                f"Memory was short: {state.micro_batch} patches at once instead of {batch}. Each "
                f"step still learns from {batch}."
            )
        elif half >= self._least and self._is_alone:
            state.patch_size = half
            self._say(f"Memory was short: patches are now {half} pixels wide.")
        elif device.kind != "cpu" and self._is_alone:
            self._say(f"The memory of {device.name} is too small; going on with the CPU.")
            state.micro_batch = batch
            return True
        elif self._waits:
            wait = self._waits.pop(0)
            self._say(
                "Memory is short although as little as possible is used. Trying again in "
                f"{wait:g} seconds; close other programs."
            )
            time.sleep(wait)
        else:
            raise OutOfMemoryError(
                "This computer's memory is too small for this training. Close other programs, or "
                "choose a narrower network. The best state so far is kept; the run can be resumed."
            )
        return False
