"""Low-level importance: what a network loses without one level, from either side of the join.

A decoder joins at each level what comes from below, coarser, with the encoder's features of the
level's own scale (`Network.joins`, the finest first). Two things are taken away, one at a time:

- ``"coarse"``: the weights of what comes from below become 0, so that the level has nothing but
  the encoder's features of its own scale. This is the test of Guo et al. 2021 (PRCV, "fusing
  low-level features"); see `learn.networks.ablation`.
- ``"fine"``: the encoder's features of the level are replaced by their means over the examined
  images, one number a feature, so that the detail that this level alone passes on is gone while
  everything after it sees features of the usual size. Replacing by the mean, not by 0, is mean
  ablation (Morcos, Barrett, Rabinowitz, Botvinick 2018, ICLR, compare both): a value that the
  network has never met, as 0 may be, would do harm of its own.

The means are taken while the network predicts the images as they are, so they cost nothing; where
tiles overlap, voxels count as often as they were looked at.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from orgseg_app.learn.errors import LearnError
from orgseg_app.learn.networks.ablation import ablated
from orgseg_app.learn.networks.network import Network


@dataclass
class Level:
    """What was seen of a level while the network predicted.

    Attributes
    ----------
    sums
        ``(C,)`` float64 over all positions, one of each feature that goes into the join.
    count
        How many positions these are.
    scale
        Pixels of the image to one of the level's maps, across; None before anything was seen.
    """

    sums: Tensor | None = None
    count: int = 0
    scale: int | None = None

    @property
    def means(self) -> Tensor:
        """``(C,)`` float64.

        Raises
        ------
        LearnError
            When the network has not predicted anything.
        """
        if self.sums is None or not self.count:
            raise LearnError("The levels of this network could not be seen while it predicted.")
        return self.sums / self.count


class Watched:
    """A copy of a network that notes the features of each level while it predicts.

    Copies of it, as a predictor makes them, note in the same place.

    Parameters
    ----------
    network
        Trained; it stays as it is.

    Attributes
    ----------
    network
        The copy.
    levels
        The finest first.

    Raises
    ------
    LearnError
        With a sentence, when the network joins nothing.
    """

    def __init__(self, network: Network) -> None:
        self.network = copy.deepcopy(network)
        joins = self.network.joins()
        if not joins:
            raise LearnError(
                "This network does not put features of several levels side by side (or adds them "
                "up), so there is no level to take away. Choose a run of a U-Net, PE-Net, or of "
                "one that fuses levels by concatenation."
            )
        self.levels = [Level() for _ in joins]
        width = 0

        def note_width(_network: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            nonlocal width
            width = inputs[0].shape[-1]

        # Functions stay themselves where a network is copied; methods would be copied along.
        self.network.register_forward_pre_hook(note_width)
        for level, join in zip(self.levels, joins, strict=True):
            join.conv.register_forward_pre_hook(_noting(level, lambda: width))


def _noting(level: Level, image_width: Callable[[], int]) -> Callable[..., None]:
    def note(_conv: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        features = inputs[0]
        others = [axis for axis in range(features.ndim) if axis != 1]
        sums = features.detach().sum(dim=others, dtype=torch.float32).double().cpu()
        level.sums = sums if level.sums is None else level.sums + sums
        level.count += features.numel() // features.shape[1]
        # Padding makes maps a little wider than the image is; scales are powers of two or near.
        level.scale = max(1, round(image_width() / features.shape[-1]))

    return note


def without_coarser(network: Network, level: int) -> Network:
    """A copy in which a level sees nothing that is coarser; see `learn.networks.ablation`."""
    return ablated(network, level)


def without_detail(network: Network, level: int, means: Tensor) -> Network:
    """A copy in which the encoder's features of a level are constant.

    Parameters
    ----------
    network
        Trained; it stays as it is.
    level
        Of `Network.joins`: 0 is the finest one.
    means
        ``(C,)`` of all features that go into the join; those from below stay as they are.

    Returns
    -------
    Network
        In the same mode; copies of it behave alike.
    """
    changed = copy.deepcopy(network)
    conv, upsampled = changed.joins()[level]
    is_fine = torch.ones(len(means), dtype=torch.bool)
    is_fine[upsampled] = False

    def replace(_conv: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        features = inputs[0]
        shape = (1, -1, *(1 for _ in features.shape[2:]))
        where = is_fine.to(features.device).view(shape)
        constant = means.to(features.device, features.dtype).view(shape)
        return (torch.where(where, constant, features), *inputs[1:])

    conv.register_forward_pre_hook(replace)
    return changed
