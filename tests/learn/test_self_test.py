"""The ten seconds in which a device shows that it can be trusted."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from orgseg_app.learn import self_test
from orgseg_app.learn.device import Device
from orgseg_app.learn.self_test import run_self_test

CPU = Device("cpu", "CPU", "fp32", 1)


def test_a_processor_passes() -> None:
    found = run_self_test(CPU)
    assert found.passed, found.reason
    assert found.device == "CPU · 1 thread · fp32"
    assert found.times_cpu == 0


class _Wrong(nn.Module):
    """A network whose every second copy computes something else."""

    def __init__(self, network: nn.Module, spoil: Any) -> None:
        super().__init__()
        self.network, self.spoil = network, spoil

    def forward(self, image: Tensor) -> Tensor:
        return self.spoil(self.network(image))


def _spoilt(monkeypatch: pytest.MonkeyPatch, spoil: Any) -> None:
    """Make the second network of the comparison, the device's, compute wrongly."""
    original, made = self_test._network, []

    def network(width: int, depth: int) -> nn.Module:
        made.append(None)
        plain = lambda logits: logits  # noqa: E731
        return _Wrong(original(width, depth), spoil if len(made) == 2 else plain)

    monkeypatch.setattr(self_test, "_network", network)


def test_wrong_numbers_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    _spoilt(monkeypatch, lambda logits: logits * 1.01)
    found = run_self_test(CPU)
    assert not found.passed
    assert found.reason == "its predictions differ from the processor's (by 1.0%)"


def test_no_numbers_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    _spoilt(monkeypatch, lambda logits: logits * float("nan"))
    assert "predictions differ" in run_self_test(CPU).reason


def test_what_does_not_learn_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.optim.SGD, "step", lambda *_, **__: None)
    monkeypatch.setattr(nn.BatchNorm2d, "momentum", 0.0, raising=False)
    found = run_self_test(CPU)
    assert "a network does not learn on it" in found.reason


def test_an_error_of_the_device_is_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> None:
        raise RuntimeError("CUDA error: no kernel image is available.\nCompile with TORCH_USE…")

    monkeypatch.setattr(self_test, "_compare", broken)
    assert (
        run_self_test(CPU).reason
        == "the self-test failed (CUDA error: no kernel image is available)"
    )


def test_a_build_for_cards_without_a_card_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    found = run_self_test(CPU)
    assert not found.passed
    assert found.reason.startswith("PyTorch finds no card that answers (")


def test_a_slow_card_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(self_test, "LIMIT_S", 0.0)
    monkeypatch.setattr(self_test, "_allocate", lambda _: None)
    found = run_self_test(Device("mps", "Apple GPU", "fp32", 1))
    assert "it took longer than 0 seconds" in found.reason


@pytest.mark.gpu
def test_a_card_passes_and_is_timed() -> None:
    found = run_self_test()
    assert found.passed, found.reason
    assert found.times_cpu > 1
    assert found.seconds <= self_test.LIMIT_S
