"""The arithmetic of one step: gradients of a batch, and one update of the weights."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, cast

import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from orgseg_app.core.instances.targets import TARGETS
from orgseg_app.learn.data.patches import Batch
from orgseg_app.learn.device import Device
from orgseg_app.learn.layout import channels_last, lay_out
from orgseg_app.learn.losses.heads import heads_loss
from orgseg_app.learn.networks.network import Head, Network
from orgseg_app.learn.training.averaging import Average
from orgseg_app.learn.training.ranks import ALONE, Ranks
from orgseg_app.learn.training.resume import load_optimiser, optimiser_tensors
from orgseg_app.learn.training.schedule import build_optimiser
from orgseg_app.learn.training.shares import ClassShares
from orgseg_app.runs.recipes.schema import Recipe

Heads = Callable[[Tensor], list[Head]]

_FUSED = ("cpu", "cuda")


class Improver:
    """A network with all that improves it, on one device.

    Parameters
    ----------
    recipe
        Loss, optimiser, clipping, averaging, seed.
    network
        Its weights are changed in place.
    class_weights
        One a class for the voxel-wise losses, or None.
    shares
        Where painted voxels count as much as their class seems to take up; None = all alike.
    ranks
        The processes that train together.

    Attributes
    ----------
    device
        Where; set by `place`.
    heads
        The network's answers to an image; replaced by a compiled version where that pays.
    average
        The running mean of the weights, where the recipe wants one and steps change them.
    """

    device: Device

    def __init__(
        self,
        recipe: Recipe,
        network: Network,
        *,
        class_weights: list[float] | None,
        shares: ClassShares | None = None,
        ranks: Ranks = ALONE,
    ) -> None:
        self._recipe, self.network, self._ranks = recipe, network, ranks
        self._weights_of_classes = class_weights
        self._shares = shares
        self.average: Average | None = None
        self.heads: Heads = network.heads
        self._learnt = [p for p in network.parameters() if p.requires_grad]
        self._optimiser = self._fresh_optimiser("cpu")

    def place(self, device: Device) -> None:
        """Put everything on a device, what the optimiser remembers included.

        Raises
        ------
        RuntimeError
            When the device has too little memory.
        """
        network = self.network
        tensors = {k: v.cpu() for k, v in optimiser_tensors(self._optimiser).items()}
        network.to(device.torch_device)
        lay_out(network)
        if self._recipe.ema and self._learnt and self.average is None:
            self.average = Average(network, self._recipe.ema)
        elif self.average is not None:
            self.average.move(network, device.torch_device)
        self._optimiser = self._fresh_optimiser(device.kind)
        if tensors:
            load_optimiser(self._optimiser, tensors)
        self._scaler = torch.amp.GradScaler(device.kind, enabled=device.needs_scaler)
        self._class_weights = None
        if self._weights_of_classes is not None:
            self._class_weights = torch.tensor(
                self._weights_of_classes, dtype=torch.float32, device=device.torch_device
            )
        self.heads = network.heads
        self.device = device

    def _fresh_optimiser(self, kind: str) -> torch.optim.Optimizer:
        # A network that is fitted at once has nothing that steps could improve.
        improved = self._learnt or [nn.Parameter(torch.zeros(1))]
        return build_optimiser(self._recipe, improved, fused=kind in _FUSED)

    def gradients(self, batch: Batch, *, step: int, micro_batch: int) -> Tensor:
        """Gradients of a batch, in parts of `micro_batch` patches; returns the loss, a scalar.

        The random numbers of dropout follow from the run's seed and the step alone.
        """
        self.network.train()
        self.network.zero_grad(set_to_none=True)
        torch.manual_seed((self._recipe.seed * 1_000_003 + step) * 1009 + self._ranks.rank)
        total = torch.zeros((), device=self.device.torch_device)
        if self._shares is not None:
            self._shares.forget()
        for start in range(0, len(batch), micro_batch):
            part = batch.part(start, start + micro_batch)
            image = channels_last(self._tensor(part.pixels))
            with self.device.autocast():
                heads = self.heads(image)
            target, weights = self._tensor(part.target), self._tensor(part.weights)
            if self._shares is not None:
                self._shares.look(heads, target, weights)
                weights = self._shares.weighted(target, weights)
            loss = heads_loss(
                heads,
                target,
                weights,
                terms=self._recipe.loss,
                class_weights=self._class_weights,
                objects=TARGETS[self._recipe.objects],
                instances=None if part.instances is None else self._tensor(part.instances),
            )
            loss = loss * (len(part) / self._recipe.batch_size)
            if loss.requires_grad:  # not where nothing in the patches is painted
                self._scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
            total += loss.detach()
        if self._shares is not None:
            self._shares.update(self._ranks.sum_of(self._shares.gathered))
        return self._ranks.add_up(self.network, total)

    def update(self, rate: float, loss: Tensor, *, step: int) -> None:
        """One step of the optimiser, unless the loss is no number: then nothing changes.

        On a card nobody waits to see the loss: the optimiser itself is told to pass over the step.
        """
        for group in self._optimiser.param_groups:
            group["lr"] = rate
        if self.device.kind == "cuda":
            if not self._scaler.is_enabled():
                self._optimiser.grad_scale = None  # type: ignore[attr-defined]
                self._optimiser.found_inf = (~torch.isfinite(loss)).float()  # type: ignore[attr-defined]
        elif not math.isfinite(loss.item()):
            return
        if self._recipe.gradient_clip:
            self._scaler.unscale_(self._optimiser)
            torch.nn.utils.clip_grad_norm_(self._learnt, self._recipe.gradient_clip)
        self._scaler.step(self._optimiser)
        self._scaler.update()
        if self.average is not None:
            self.average.update(step)

    def forget_gradients(self) -> None:
        """Free their memory, and what a step that was cut off has left behind."""
        self.network.zero_grad(set_to_none=True)
        scale = self._scaler.state_dict()
        self._scaler = torch.amp.GradScaler(self.device.kind, enabled=self.device.needs_scaler)
        if scale:
            self._scaler.load_state_dict(scale)

    @property
    def learning_rate(self) -> float:
        """Of the last step."""
        return float(self._optimiser.param_groups[0]["lr"])

    @property
    def usable(self) -> Network:
        """The network to check and to keep: the mean of the weights where there is one."""
        return self.network if self.average is None else cast(Network, self.average.network)

    def tensors(self) -> dict[str, Tensor]:
        """What it takes to go on, beside the weights, for a checkpoint."""
        found = optimiser_tensors(self._optimiser)
        return found | (self.average.tensors() if self.average is not None else {})

    def facts(self) -> dict[str, Any]:
        """As `tensors`, what is no tensor."""
        known = {} if self._shares is None else self._shares.facts()
        return {**self._scaler.state_dict(), **known}

    def load(self, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
        """Put back what `tensors` and `facts` gave.

        Raises
        ------
        RuntimeError, ValueError
            When they do not fit.
        """
        load_optimiser(self._optimiser, tensors)
        if self.average is not None:
            self.average.load(tensors)
        facts = dict(facts)
        if self._shares is not None:
            self._shares.load(facts)
        facts.pop("shares", None)
        if facts and self._scaler.is_enabled():
            self._scaler.load_state_dict(facts)

    def _tensor(self, array: NDArray[Any]) -> Tensor:
        tensor = torch.from_numpy(array)
        if self.device.kind == "cuda":
            return tensor.pin_memory().to(self.device.torch_device, non_blocking=True)
        return tensor.to(self.device.torch_device)
