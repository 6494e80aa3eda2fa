"""Several processes that train one network together, started by ``torchrun``.

Every rank draws its share of each batch, gradients are summed over all of them, and every rank
takes the same step. The first one alone decides, checks, writes and speaks. Nothing listens on a
network unless ``torchrun`` was used.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

import torch
from torch import Tensor, nn

_PATIENCE = timedelta(days=7)
"""The others wait while the first is queued, checks images, or is paused."""


@dataclass(frozen=True)
class Ranks:
    """Which of the processes this is.

    Attributes
    ----------
    rank, world
        Number of this process from 0, and how many there are.
    local_rank, local_world
        The same on this computer alone: which graphics card to take, how to share the processor.
    """

    rank: int = 0
    world: int = 1
    local_rank: int = 0
    local_world: int = 1

    @property
    def is_first(self) -> bool:
        """Whether this process decides, writes and speaks."""
        return self.rank == 0

    def share(self, count: int) -> tuple[int, int]:
        """First and last (excluded) of `count` patches that are this rank's.

        >>> [Ranks(rank, 3).share(8) for rank in range(3)]
        [(0, 2), (2, 5), (5, 8)]
        """
        return count * self.rank // self.world, count * (self.rank + 1) // self.world

    def add_up(self, network: nn.Module, loss: Tensor) -> Tensor:
        """Sum gradients and loss over all ranks, and average the statistics of batch norm.

        Returns
        -------
        Tensor
            The sum of the losses, a scalar.
        """
        if self.world == 1:
            return loss
        import torch.distributed as dist

        gradients = []
        for parameter in network.parameters():
            if parameter.requires_grad:
                if parameter.grad is None:
                    parameter.grad = torch.zeros_like(parameter)
                gradients.append(parameter.grad)
        statistics = [b for b in network.buffers() if b.is_floating_point()]
        values = [loss.detach().reshape(1), *gradients, *statistics]
        flat = torch.cat([value.reshape(-1).float() for value in values])
        dist.all_reduce(flat)
        with torch.no_grad():
            for value, part in zip(values, flat.split([v.numel() for v in values]), strict=True):
                value.copy_(part.view(value.shape))
            for value in statistics:
                value.div_(self.world)
        return values[0][0]

    def sum_of(self, values: Tensor) -> Tensor:
        """The sum over all ranks of a tensor that lies where the network does."""
        if self.world == 1:
            return values
        import torch.distributed as dist

        summed = values.clone()
        dist.all_reduce(summed)
        return summed

    def agree(self, values: Sequence[float]) -> list[float]:
        """The values of the first rank, on every rank; what the others give is not looked at."""
        if self.world == 1:
            return list(values)
        import torch.distributed as dist

        kind = "cuda" if dist.get_backend() == "nccl" else "cpu"
        told = torch.tensor(values, dtype=torch.float64, device=kind)
        dist.broadcast(told, src=0)
        return [float(value) for value in told.tolist()]


ALONE = Ranks()


def ranks_from_environment() -> Ranks:
    """What ``torchrun`` has put into the environment; `ALONE` without it.

    Raises
    ------
    ValueError
        With a sentence, when the variables make no sense.
    """
    if "RANK" not in os.environ or "WORLD_SIZE" not in os.environ:
        return ALONE
    names = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE")
    try:
        rank, world, local, local_world = (
            int(os.environ.get(name, usual)) for name, usual in zip(names, "0101", strict=True)
        )
    except ValueError:
        raise ValueError("RANK and WORLD_SIZE are set, but are no numbers. Use torchrun.") from None
    if not (0 <= rank < world and 0 <= local < local_world):
        raise ValueError(f"RANK is {rank} of WORLD_SIZE {world}, which cannot be. Use torchrun.")
    return Ranks(rank, world, local, local_world)


@contextlib.contextmanager
def joined(ranks: Ranks) -> Iterator[None]:
    """Wait until all ranks are there, and part from them at the end."""
    if ranks.world == 1:
        yield
        return
    import torch.distributed as dist

    has_cards = torch.cuda.is_available() and torch.cuda.device_count() >= ranks.local_world
    if has_cards:
        torch.cuda.set_device(ranks.local_rank)
    dist.init_process_group("nccl" if has_cards else "gloo", timeout=_PATIENCE)
    try:
        yield
    finally:
        dist.destroy_process_group()
