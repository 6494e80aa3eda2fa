"""How tensors lie in memory: channels last, which is what processors and cards are quick with."""

from __future__ import annotations

from typing import TypeVar

import torch
from torch import Tensor, nn

_FORMATS = {4: torch.channels_last, 5: torch.channels_last_3d}

Module = TypeVar("Module", bound=nn.Module)


def channels_last(tensor: Tensor) -> Tensor:
    """Pictures ``(N, C, Y, X)`` and volumes ``(N, C, Z, Y, X)``, and weights of convolutions, with
    their channels last in memory; other tensors as they are.

    Volumes on one core of an EPYC (convolutions of 1 × 3 × 3 and 3 × 3 × 3 in turn): prediction
    takes 0.75 of the time, in float32 and in bfloat16; a step of learning as long as otherwise.
    """
    memory_format = _FORMATS.get(tensor.ndim)
    return tensor if memory_format is None else tensor.contiguous(memory_format=memory_format)


def lay_out(network: Module) -> Module:
    """The same network, its weights with the channels last; of planes, of volumes, or of both."""
    for tensor in (*network.parameters(), *network.buffers()):
        tensor.data = channels_last(tensor.data)
    return network
