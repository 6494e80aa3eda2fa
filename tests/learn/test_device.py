"""The device line tells the truth."""

from __future__ import annotations

import json
import os
import time

import pytest
import torch

from orgseg_app import paths
from orgseg_app.learn import device


def test_cpu_is_named_with_threads_and_precision() -> None:
    assert str(device.choose_device()) == "CPU · 1 thread · fp32"
    assert str(device.Device("cpu", "CPU", "bf16", 2)) == "CPU · 2 threads · bf16"
    assert str(device.Device("cuda", "NVIDIA H100", "bf16", 8)) == "NVIDIA H100 · bf16"


def test_threads_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(device.THREADS_VARIABLE, "2")
    assert device.choose_device().threads == torch.get_num_threads() == 2
    monkeypatch.setenv(device.THREADS_VARIABLE, "many")
    with pytest.raises(ValueError, match="whole number"):
        device.choose_device()


@pytest.mark.parametrize(
    "variable, value",
    [(device.DEVICE_VARIABLE, "abacus"), (device.PRECISION_VARIABLE, "fp7")],
)
def test_nonsense_in_the_environment_is_refused(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(ValueError, match=value):
        device.choose_device()


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a card here")
def test_a_card_that_is_not_there_is_not_claimed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(device.DEVICE_VARIABLE, "cuda")
    with pytest.raises(ValueError, match="no such device"):
        device.choose_device()


def test_half_precision_is_used_only_when_tried_and_quicker(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv(device.PRECISION_VARIABLE)
    kept = paths.cache_dir() / "precision.json"
    for pays, precision in ((True, "bf16"), (False, "fp32")):
        monkeypatch.setattr(device, "bf16_pays_on_cpu", lambda pays=pays: pays)
        assert device.cpu_device(probe=True).precision == precision
        monkeypatch.setattr(device, "bf16_pays_on_cpu", lambda pays=pays: not pays)
        assert device.cpu_device(probe=True).precision == precision  # remembered
        facts = json.loads(kept.read_text())
        kept.write_text(json.dumps(facts | {"torch": "1.0"}))  # of another version: tried anew
        assert device.cpu_device(probe=True).precision != precision
        kept.write_text("no JSON at all")
    assert device.cpu_device().precision == "fp32"


def test_a_recipe_may_want_a_precision() -> None:
    cpu, card = device.Device("cpu", "CPU", "bf16", 2), device.Device("cuda", "H100", "bf16", 2)
    for precision in ("auto", "bf16"):
        assert device.suited(cpu, precision) == (cpu, "")
    assert device.suited(cpu, "fp32")[0].precision == "fp32"
    same, sentence = device.suited(cpu, "fp16")
    assert same == cpu
    assert "graphics card" in sentence
    assert device.suited(card, "fp16") == (card.with_precision("fp16"), "")


def test_no_more_threads_than_cores_are_used() -> None:
    assert 1 <= device.usable_cores() <= (os.cpu_count() or 1)


def test_trying_is_bounded_and_skipped_without_the_units(monkeypatch: pytest.MonkeyPatch) -> None:
    start = time.perf_counter()
    device.bf16_pays_on_cpu(limit_s=0.1)
    assert time.perf_counter() - start < 3
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX2")
    assert device.bf16_pays_on_cpu() is False


def test_autocast_context_gives_the_precision() -> None:
    conv, image = torch.nn.Conv2d(1, 2, 3), torch.randn(1, 1, 8, 8)
    for precision, dtype in (("fp32", torch.float32), ("bf16", torch.bfloat16)):
        with device.cpu_device().with_precision(precision).autocast():
            assert conv(image).dtype == dtype


def test_memory_errors_are_told_apart() -> None:
    assert device.is_out_of_memory(torch.OutOfMemoryError("…"))
    assert device.is_out_of_memory(MemoryError())
    assert device.is_out_of_memory(
        RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory")
    )
    assert device.is_out_of_memory(RuntimeError("MPS backend out of memory"))
    assert not device.is_out_of_memory(RuntimeError("shape mismatch"))
    assert not device.is_out_of_memory(ValueError("out of memory"))
