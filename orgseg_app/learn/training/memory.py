"""The ladder of a training that runs out of memory: every rung is said, none ends the run."""

from __future__ import annotations

import time
from collections.abc import Callable

from orgseg_app.learn.device import Device, free_memory
from orgseg_app.learn.errors import OutOfMemoryError
from orgseg_app.learn.networks.network import Network
from orgseg_app.learn.training.resume import State
from orgseg_app.runs.recipes.schema import Recipe

SMALLEST_PATCH = 32
SMALLEST_DEPTH = 3
"""Planes; with fewer, no plane of a patch has a neighbour on both sides."""
WAITS_S = (2.0, 10.0, 30.0)
"""How long to wait on the last rung for other programs to give memory back."""


class MemoryLadder:
    """Half the patches at once, then half their size, then the processor, then patience.

    Of the patches of a volume the longer of width and depth is halved.

    Parameters
    ----------
    recipe, state
        What was asked, and what has become of it; `State.micro_batch`, `State.patch_size` and
        `State.patch_depth` are changed here.
    network
        Patches are no narrower than twice its multiple, and as deep as a multiple of its own.
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
        network: Network,
        say: Callable[[str], None],
        is_alone: bool = True,
    ) -> None:
        self._recipe, self._state, self._say = recipe, state, say
        self._least = max(SMALLEST_PATCH, 2 * network.multiple)
        self._network = network
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
        state, batch = self._state, self._recipe.batch_size
        width, depth = self._half_width(), self._half_depth()
        if state.micro_batch > 1:
            state.micro_batch = -(-state.micro_batch // 2)
            patches = "1 patch" if state.micro_batch == 1 else f"{state.micro_batch} patches"
            self._say(
                f"Memory was short: {patches} at once instead of {batch}. Each step still learns "
                f"from {batch}."
            )
        elif width and (state.patch_size >= state.patch_depth or not depth):
            state.patch_size = width
            self._say(f"Memory was short: patches are now {width} pixels wide.")
        elif depth:
            state.patch_depth = depth
            self._say(f"Memory was short: patches are now {depth} planes deep.")
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

    def _half_width(self) -> int:
        """Half as many pixels; 0 where that is too few, or others would have to follow."""
        half = self._state.patch_size // 2
        return half if half >= self._least and self._is_alone else 0

    def _half_depth(self) -> int:
        """Half as many planes, a multiple of what the network needs; 0 where that is no less."""
        multiple, depth = self._network.multiple_z, self._state.patch_depth
        half = -(-max(-(-depth // 2), SMALLEST_DEPTH) // multiple) * multiple
        return half if self._network.dimensions == 3 and half < depth and self._is_alone else 0
