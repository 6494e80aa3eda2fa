"""What networks cost, asked of torch; with fake tensors, which have sizes but no values."""

from __future__ import annotations

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.autograd.graph import saved_tensors_hooks
from torch.utils.flop_counter import FlopCounterMode

from orgseg_app.learn.networks.network import Network
from orgseg_app.learn.networks.registry import build_network
from orgseg_app.runs.recipes.schema import NetworkChoice

SIDE = 256
"""Of the images looked at, in pixels."""
PLANES = 8
"""Of the volumes looked at."""


FAKE = FakeTensorMode()


def on_paper(choice: NetworkChoice, *, channels: int, classes: int) -> Network:
    """A network without numbers in it."""
    with FAKE:
        return build_network(choice, channels=channels, classes=classes).train()


def measured_flops(network: Network, *, channels: int, planes: int = PLANES) -> float:
    """Operations a pixel of one forward pass with all heads."""
    with FAKE, torch.no_grad(), FlopCounterMode(display=False) as counter:
        network.heads(_shown(network, 1, channels, planes))
    return counter.get_total_flops() / _voxels(network, planes)


def measured_features(network: Network, *, channels: int, planes: int = PLANES) -> float:
    """Numbers of 32 bits a pixel that autograd keeps for the way back."""
    ours = {t.untyped_storage()._cdata for t in [*network.parameters(), *network.buffers()]}
    kept: dict[int, Tensor] = {}

    def note(tensor: Tensor) -> Tensor:
        # The tensor is held on to, so that its storage's address stays its own.
        kept[tensor.untyped_storage()._cdata] = tensor
        return tensor

    with FAKE, saved_tensors_hooks(note, lambda tensor: tensor):
        heads = network.heads(_shown(network, 2, channels, planes))
        assert heads
    sizes = [t.untyped_storage().nbytes() for key, t in kept.items() if key not in ours]
    return sum(sizes) / 4 / (2 * _voxels(network, planes))


def _shown(network: Network, patches: int, channels: int, planes: int) -> Tensor:
    if network.dimensions == 3:
        return torch.empty(patches, channels, planes, SIDE, SIDE)
    return torch.empty(patches, channels * network.planes, SIDE, SIDE)


def _voxels(network: Network, planes: int) -> int:
    return SIDE**2 * (planes if network.dimensions == 3 else 1)
