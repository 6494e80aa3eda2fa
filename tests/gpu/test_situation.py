"""The one sentence about graphics cards, for every situation that there is a sentence for."""

from __future__ import annotations

import dataclasses
import re

import msgspec
import pytest

from orgseg_app.gpu.choice import SelfTest
from orgseg_app.gpu.computer import TorchBuild
from orgseg_app.gpu.driver import Card, Driver
from orgseg_app.gpu.offers import Offer, Part, best_offer
from orgseg_app.gpu.pack import Needs
from orgseg_app.gpu.situation import PackSeen, Situation, judge

RTX, OLD = Card("NVIDIA GeForce RTX 3060", 12 << 30, (8, 6)), Card("Quadro K600", 1 << 30, (3, 0))
GOOD = Driver("580.82.07", "13.0", (OLD, RTX))
CPU, CUDA = TorchBuild("2.13.0+cpu"), TorchBuild("2.13.0", "13.0")
NEEDS = Needs("13.0", "580", (7, 5))
PACK = PackSeen("0.1.0", "2.13.0", NEEDS, 5 * 10**9, "ab" * 32)
PASSED = SelfTest(True, "", "NVIDIA", 11.4, 6, "ab" * 32, GOOD.version)
FAILED = SelfTest(False, "its memory does not hold what is written into it", driver=GOOD.version)
LINUX, MAC = "linux-x86_64", "macos-arm64"
OWN = "training runs on the processor."

CASES = [
    (Situation(LINUX, torch=CPU), f"No graphics card that OrgSeg can use: {OWN}", ""),
    (Situation(LINUX, vendors=("Intel",)), f"No graphics card that OrgSeg can use: {OWN}", ""),
    (
        Situation(LINUX, vendors=("AMD", "Intel")),
        "The AMD graphics here cannot be used; from its source, OrgSeg uses one with PyTorch for "
        f"ROCm: {OWN}",
        "",
    ),
    (
        Situation("windows-amd64", vendors=("AMD",)),
        f"The AMD graphics here cannot be used: {OWN}",
        "",
    ),
    (
        Situation(LINUX, Driver(problem="missing"), ("NVIDIA",)),
        "An NVIDIA card is here, but no driver answers for it: install the driver from "
        f"nvidia.com/drivers, on Linux with the system's own tools. Until then {OWN}",
        "driver",
    ),
    (
        Situation(LINUX, Driver(problem="mismatch")),
        "An NVIDIA card is here, but its driver was updated and is not complete yet: restart the "
        f"computer. Until then {OWN}",
        "restart",
    ),
    (
        Situation(LINUX, Driver(problem="denied")),
        "An NVIDIA card is here, but you may not use it: ask whoever looks after this computer. "
        f"Until then {OWN}",
        "",
    ),
    (
        Situation(LINUX, GOOD, torch=CPU),
        "NVIDIA RTX 3060 with driver 580.82 is here; install the GPU pack to train on it instead "
        "of on the processor.",
        "install",
    ),
    (
        Situation(LINUX, dataclasses.replace(GOOD, version="450.80.02")),
        "The NVIDIA driver 450.80.02 is too old for the GPU pack: install 580 or newer from "
        f"nvidia.com/drivers. Until then {OWN}",
        "driver",
    ),
    (
        Situation(LINUX, dataclasses.replace(GOOD, version="450.80.02"), pack=PACK, test=PASSED),
        "The NVIDIA driver 450.80.02 is too old for the GPU pack: install 580 or newer from "
        f"nvidia.com/drivers. Until then {OWN}",
        "driver",
    ),
    (
        Situation(LINUX, dataclasses.replace(GOOD, cards=(OLD,))),
        "NVIDIA Quadro K600 is too old for the GPU pack, which needs compute capability 7.5 and "
        f"finds 3.0: {OWN}",
        "",
    ),
    (
        Situation(LINUX, GOOD, pack=dataclasses.replace(PACK, orgseg="0.0.9", fits=False)),
        f"The GPU pack is for OrgSeg 0.0.9: install the one of this version. Until then {OWN}",
        "pack",
    ),
    (
        Situation(LINUX, GOOD, pack=dataclasses.replace(PACK, is_whole=False), test=PASSED),
        f"The GPU pack is damaged: install it again. Until then {OWN}",
        "pack",
    ),
    (
        Situation(LINUX, GOOD, pack=PACK),
        "The GPU pack has not been tested with NVIDIA RTX 3060 with driver 580.82 yet: test it, "
        "which takes ten seconds.",
        "test",
    ),
    (
        Situation(LINUX, dataclasses.replace(GOOD, version="590.1"), pack=PACK, test=PASSED),
        "The GPU pack has not been tested with NVIDIA RTX 3060 with driver 590.1 yet: test it, "
        "which takes ten seconds.",
        "test",
    ),
    (
        Situation(LINUX, GOOD, pack=PACK, test=PASSED),
        "Networks are trained on NVIDIA RTX 3060 with driver 580.82, 11 × as fast as the "
        "processor.",
        "",
    ),
    (
        Situation(LINUX, GOOD, pack=PACK, test=FAILED),
        "NVIDIA RTX 3060 with driver 580.82 is not used: its memory does not hold what is written "
        f"into it; {OWN}",
        "test",
    ),
    (
        Situation(LINUX, GOOD, torch=CUDA, kind="cuda"),
        "NVIDIA RTX 3060 with driver 580.82 is here, and this OrgSeg computes on it.",
        "",
    ),
    (
        Situation(LINUX, GOOD, torch=CUDA, kind="cpu"),
        "NVIDIA RTX 3060 with driver 580.82 is here, but PyTorch cannot use it: CUDA 13.0 may need "
        f"a newer driver from nvidia.com/drivers; {OWN}",
        "driver",
    ),
    (
        Situation(LINUX, torch=TorchBuild("2.13.0+rocm7", hip="7.0"), kind="cuda"),
        "The AMD card is used through ROCm; there is nothing to install.",
        "",
    ),
    (
        Situation(LINUX, torch=TorchBuild("2.13.0+rocm7", hip="7.0"), kind="cpu"),
        "PyTorch is built for AMD cards, but no card can be used: none answers; training runs on "
        "the processor. Check the ROCm driver.",
        "driver",
    ),
    (Situation(MAC), "The GPU of this Mac is used; there is nothing to install.", ""),
    (Situation(MAC, kind="cpu"), f"The GPU of this Mac cannot be used: {OWN}", ""),
    (
        Situation(MAC, test=FAILED),
        f"The GPU of this Mac is not used: {FAILED.reason}; {OWN}",
        "test",
    ),
]


@pytest.mark.parametrize("now, sentence, to_do", CASES)
def test_each_situation_has_its_sentence(now: Situation, sentence: str, to_do: str) -> None:
    verdict = judge(now)
    assert (verdict.sentence, verdict.to_do) == (sentence, to_do)
    # What the window gets of it through JSON says the same.
    assert judge(msgspec.convert(msgspec.to_builtins(now), Situation)) == verdict


def test_sentences_are_sentences() -> None:
    for _, sentence, _ in CASES:
        assert re.fullmatch(r"[A-Z][^\n]{20,219}\.", sentence), sentence
        assert "NVML" not in sentence
    assert len({sentence for _, sentence, _ in CASES}) == len(CASES) - 2


def test_the_pack_that_suits_is_offered_first() -> None:
    parts = (Part("https://example.org/a.zip", 10), Part("https://example.org/b.zip", 5))
    new = Offer("0.1.0", LINUX, NEEDS, "a" * 64, parts)
    old = msgspec.structs.replace(new, needs=Needs("12.6", "525", (5, 0)))
    assert best_offer(GOOD, [new, old]) is new
    assert best_offer(dataclasses.replace(GOOD, version="530"), [new, old]) is old
    assert best_offer(Driver(), [new, old]) is new
    assert best_offer(GOOD, []) is None
    assert (new.bytes, new.server, new.is_sound) == (15, "example.org", True)
    # A pack for older drivers is on offer, so the driver is not too old.
    with_old = Situation(LINUX, dataclasses.replace(GOOD, version="530"), offer=old)
    assert judge(with_old).to_do == "install"
