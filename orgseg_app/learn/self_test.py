"""Ten seconds in which a device shows that it can be trusted with a training.

A small U-Net predicts and takes a training step on the device and on the processor, in full
precision and from the same numbers: both must agree. Then the device trains in the precision that
it would really use, the loss must fall, and a step is timed against the processor's best.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from orgseg_app.gpu.choice import SelfTest
from orgseg_app.learn.device import Device, choose_device, cpu_device
from orgseg_app.learn.layout import channels_last, lay_out
from orgseg_app.learn.networks.unet import UNet

LIMIT_S = 10.0
"""For everything together; the comparison of speed is left out when time is short."""

_AGREE = 2e-3
"""Largest difference allowed, of the largest value; in float32 it is some 1e-6 to 1e-4."""
_MEMORY_BYTES = 256 * 2**20
_STEPS = 30
_SIDE, _BATCH = 128, 2


class _FailedError(Exception):
    """Why the device is not to be trusted: the end of a sentence."""


@dataclass
class _Clock:
    start: float
    is_patient: bool = False

    @property
    def seconds(self) -> float:
        return time.perf_counter() - self.start

    def check(self) -> None:
        """Give up on a device that takes too long."""
        if self.seconds > LIMIT_S and not self.is_patient:
            raise _FailedError(f"it took longer than {LIMIT_S:.0f} seconds for a small network")


def run_self_test(device: Device | None = None) -> SelfTest:
    """Test the device that would be chosen, or another.

    Returns
    -------
    SelfTest
        Never raises: whatever goes wrong is a reason.
    """
    clock = _Clock(time.perf_counter())
    name, ratio, reason = "", 0.0, ""
    try:
        device = device or choose_device()
        name = str(device)
        # Finding it may have loaded gigabytes; and a processor is slow because others use it.
        clock = _Clock(time.perf_counter(), is_patient=device.kind == "cpu")
        if device.kind == "cpu" and _expects_card():
            raise _FailedError(why_no_card())
        ratio = _test(device, clock)
    except _FailedError as error:
        reason = str(error)
    except Exception as error:
        reason = f"the self-test failed ({_first_words(error)})"
    return SelfTest(
        not reason, reason, device=name, times_cpu=round(ratio, 1), seconds=round(clock.seconds, 1)
    )


def _test(device: Device, clock: _Clock) -> float:
    """All parts; returns how many times as fast as the processor a step is, 0 unknown."""
    if device.kind != "cpu":
        _allocate(device)
        clock.check()
    with _full_precision():
        _compare(device, clock)
    seconds = _train(device, clock)
    if device.kind == "cpu" or clock.seconds > 0.7 * LIMIT_S:
        return 0.0
    return _cpu_seconds(clock) / seconds


def _allocate(device: Device) -> None:
    """Take memory, fill it, and find the same in it."""
    block = torch.full((_MEMORY_BYTES // 4,), 0.5, device=device.torch_device)
    if not bool((block == 0.5).all()):
        raise _FailedError("its memory does not hold what is written into it")


def _compare(device: Device, clock: _Clock) -> None:
    """The same prediction, loss and gradients as the processor's."""
    image, truth = _images(64, 2)
    ours, theirs = _network(8, 2), _network(8, 2).to(device.torch_device)
    theirs.load_state_dict(ours.state_dict())
    found = []
    for network, place in ((ours, torch.device("cpu")), (theirs, device.torch_device)):
        logits = network(image.to(place))
        loss = functional.cross_entropy(logits, truth.to(place))
        loss.backward()
        clock.check()
        first = next(network.parameters())
        assert first.grad is not None
        found.append([part.detach().cpu() for part in (logits, loss, first.grad)])
    volume = torch.randn(1, 2, 6, 12, 12, generator=_dice())
    kernel = torch.randn(3, 2, 3, 3, 3, generator=_dice())
    found[0].append(functional.conv3d(volume, kernel))
    place = device.torch_device
    found[1].append(functional.conv3d(volume.to(place), kernel.to(place)).cpu())
    what = ("predictions", "losses", "gradients", "volumes")
    for name, right, other in zip(what, *found, strict=True):
        difference = float((right - other).abs().max() / right.abs().max().clamp(min=1e-12))
        if not difference <= _AGREE:  # also when it is no number
            raise _FailedError(f"its {name} differ from the processor's (by {difference:.1%})")
    clock.check()


def _train(device: Device, clock: _Clock) -> float:
    """Train in the precision of real trainings; seconds of a step once it runs."""
    step = _trainer(device, side=_SIDE if device.kind != "cpu" else 64)
    losses: list[float] = []
    best = float("inf")
    end = min(LIMIT_S * 0.6, clock.seconds + 2.5)
    steps = _STEPS if device.kind != "cpu" else 4  # which nobody has to time
    while len(losses) < 4 or (clock.seconds < end and len(losses) < steps):
        start = time.perf_counter()
        losses.append(step())  # reading the loss waits for the device
        best = min(best, time.perf_counter() - start)
        clock.check()
    if not losses[-1] < losses[0]:  # also when it is no number
        raise _FailedError(
            f"a network does not learn on it (the loss goes from {losses[0]:.3f} to "
            f"{losses[-1]:.3f})"
        )
    return best


def _cpu_seconds(clock: _Clock) -> float:
    """Seconds of the same step on the processor, as it would train."""
    step, best = _trainer(cpu_device(probe=True), side=_SIDE), float("inf")
    for _ in range(3):
        start = time.perf_counter()
        step()
        best = min(best, time.perf_counter() - start)
        if clock.seconds + best > 0.95 * LIMIT_S:
            break
    return best


def _trainer(device: Device, *, side: int) -> Callable[[], float]:
    """A network and its data on a device; each call is a training step and returns the loss."""
    network = lay_out(_network(24, 3).to(device.torch_device))
    optimiser = torch.optim.SGD(network.parameters(), lr=0.02, momentum=0.9)
    scaler = torch.amp.GradScaler(device.kind, enabled=device.needs_scaler)
    image, truth = (part.to(device.torch_device) for part in _images(side, _BATCH))
    image = channels_last(image)

    def step() -> float:
        optimiser.zero_grad(set_to_none=True)
        with device.autocast():
            logits = network(image)
        loss = functional.cross_entropy(logits.float(), truth)
        scaler.scale(loss).backward()
        scaler.step(optimiser)
        scaler.update()
        return float(loss.detach())

    return step


def _network(width: int, depth: int) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        return UNet(1, 2, depth=depth, width=width)


def _images(side: int, count: int) -> tuple[Tensor, Tensor]:
    """Bright discs on noise ``(N, 1, Y, X)`` float32, and where they are ``(N, Y, X)`` int64."""
    y, x = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    truth = ((y % 32 - 16) ** 2 + (x % 32 - 16) ** 2 < 81).long().expand(count, -1, -1)
    noise = torch.randn(count, 1, side, side, generator=_dice())
    return truth[:, None] * 1.5 + 0.5 * noise, truth.contiguous()


def _dice() -> torch.Generator:
    return torch.Generator().manual_seed(7)


@contextmanager
def _full_precision() -> Iterator[None]:
    """Without TensorFloat-32, which rounds to ten bits and would look like a broken card."""
    before = torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = before


def _expects_card() -> bool:
    """Whether this PyTorch is built for a card at all."""
    return bool(torch.version.cuda or torch.version.hip or torch.backends.mps.is_built())


def why_no_card() -> str:
    """Why this PyTorch computes on the processor: the end of a sentence."""
    kind = "mps" if torch.backends.mps.is_built() else "cuda"
    try:
        torch.zeros(1, device=kind).add_(1).item()
    except (RuntimeError, AssertionError) as error:
        return f"PyTorch finds no card that answers ({_first_words(error)})"
    return "the environment asks for the processor"


def _first_words(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    first = " ".join(lines[0].split())[:160] if lines else ""
    return first.rstrip(".") or type(error).__name__
