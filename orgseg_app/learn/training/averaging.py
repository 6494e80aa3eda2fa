"""A running mean of the weights (Polyak & Juditsky 1992): steadier than the last ones."""

from __future__ import annotations

import copy
from collections.abc import Mapping

import torch
from torch import Tensor, nn

_PREFIX = "average."


class Average:
    """The running mean of a network's weights, as a network of its own.

    The statistics of batch norm are averaged like weights; whole numbers (its count of batches) are
    copied. While fewer steps are done than the mean remembers, it remembers fewer:
    ``min(decay, (1 + step) / (10 + step))``, so that a short training does not keep its beginning.

    Parameters
    ----------
    network
        What is averaged; on its device already.
    decay
        0…1, how much of the mean stays at each step.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.network = copy.deepcopy(network).requires_grad_(False).eval()
        self._decay = decay
        self._pair_with(network)

    def _pair_with(self, network: nn.Module) -> None:
        own, theirs = self.network.state_dict(), network.state_dict()
        pairs = [(own[key], theirs[key]) for key in own]
        self._means = [mean for mean, _ in pairs if mean.is_floating_point()]
        self._values = [value for mean, value in pairs if mean.is_floating_point()]
        self._copied = [pair for pair in pairs if not pair[0].is_floating_point()]

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Take in the weights after a step (counted from 0)."""
        decay = min(self._decay, (1 + step) / (10 + step))
        torch._foreach_lerp_(self._means, self._values, 1 - decay)
        for mean, value in self._copied:
            mean.copy_(value)

    def move(self, network: nn.Module, device: torch.device) -> None:
        """Follow the network to another device."""
        self.network.to(device)
        self._pair_with(network)

    def tensors(self) -> dict[str, Tensor]:
        """What `load` takes back, for a checkpoint."""
        return {_PREFIX + key: value for key, value in self.network.state_dict().items()}

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Put back what `tensors` gave; others among them are passed over.

        Raises
        ------
        RuntimeError
            When they belong to another network, or there are none.
        """
        found = {k.removeprefix(_PREFIX): v for k, v in tensors.items() if k.startswith(_PREFIX)}
        self.network.load_state_dict(found)
