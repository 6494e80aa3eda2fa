"""The NVIDIA driver asked through NVML, and what the computer itself tells of its cards."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from orgseg_app.gpu.computer import TorchBuild, linux_vendors, own_torch, torch_build
from orgseg_app.gpu.driver import Card, Driver, find_driver, load_nvml, version_numbers

# Two cards; NVML's functions as its header declares them.
NVML = r"""
#include <string.h>
typedef struct { unsigned long long total, free, used; } memory_t;
static int calls = 0;
int nvmlInit_v2(void) { calls++; return INIT; }
int nvmlShutdown(void) { calls--; return 0; }
int calls_open(void) { return calls; }
const char *nvmlErrorString(int code) {
  return code == 18 ? "library and driver differ" : "odd"; }
int nvmlSystemGetDriverVersion(char *to, unsigned size) {
  strncpy(to, "550.54.14", size); return 0; }
int nvmlSystemGetCudaDriverVersion_v2(int *version) { *version = 12040; return 0; }
int nvmlDeviceGetCount_v2(unsigned *count) { *count = 2; return 0; }
int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **handle) {
  *handle = (void *)(0x7f0000000000ULL + index); return 0; }
static int which(void *handle) { return (int)((unsigned long long)handle - 0x7f0000000000ULL); }
int nvmlDeviceGetName(void *handle, char *to, unsigned size) {
  strncpy(to, which(handle) ? "Quadro  K600" : "NVIDIA GeForce RTX 3060", size); return 0; }
int nvmlDeviceGetMemoryInfo(void *handle, memory_t *to) {
  if (which(handle)) return 3;
  to->total = 12884901888ULL; to->free = 1; to->used = 2; return 0; }
int nvmlDeviceGetCudaComputeCapability(void *handle, int *major, int *minor) {
  *major = which(handle) ? 3 : 8; *minor = which(handle) ? 0 : 6; return 0; }
"""


@pytest.mark.skipif(shutil.which("gcc") is None, reason="no C compiler here")
def test_a_real_library_is_asked_as_its_header_says(tmp_path: Path) -> None:
    """Handles have 64 bits; a wrong argument type would cut or misplace them."""
    source = tmp_path / "nvml.c"
    source.write_text(NVML, encoding="ascii")
    for name, init in (("works", 0), ("updated", 18)):
        library = tmp_path / f"{name}.so"
        command = ["gcc", f"-DINIT={init}", "-shared", "-fPIC", "-o", str(library), str(source)]
        subprocess.run(command, check=True)
    library = ctypes.CDLL(str(tmp_path / "works.so"))
    assert find_driver(lambda: library) == Driver(
        "550.54.14",
        "12.4",
        (Card("NVIDIA GeForce RTX 3060", 12 * 2**30, (8, 6)), Card("Quadro K600", 0, (3, 0))),
    )
    assert library.calls_open() == 0
    found = find_driver(lambda: ctypes.CDLL(str(tmp_path / "updated.so")))
    assert found == Driver(problem="mismatch", said="library and driver differ")


class _Nvml:
    """A driver that answers its start with a code, and then knows no card."""

    def __init__(self, code: int = 0, count_code: int = 0) -> None:
        self.code, self.count_code, self.is_open = code, count_code, False

    def nvmlInit_v2(self) -> int:
        self.is_open = self.code == 0
        return self.code

    def nvmlShutdown(self) -> int:
        self.is_open = False
        return 0

    def nvmlSystemGetDriverVersion(self, buffer: Any, size: Any) -> int:
        buffer.value = b"580.1"
        return 0

    def nvmlDeviceGetCount_v2(self, count: Any) -> int:
        return self.count_code


@pytest.mark.parametrize(
    "code, problem",
    [(9, "not loaded"), (18, "mismatch"), (4, "denied"), (12, "missing"), (999, "other")],
)
def test_a_driver_that_does_not_start_says_why(code: int, problem: str) -> None:
    found = find_driver(lambda: _Nvml(code))
    assert (found.problem, found.cards, found.version) == (problem, (), "")
    assert found.said == f"NVML error {code}"


def test_a_driver_without_cards_or_that_loses_them_is_closed_again() -> None:
    library = _Nvml()
    assert find_driver(lambda: library) == Driver("580.1", problem="lost")
    assert not library.is_open
    library = _Nvml(count_code=15)
    found = find_driver(lambda: library)
    assert (found.version, found.problem) == ("580.1", "lost")
    assert not library.is_open


def test_no_driver_is_no_error() -> None:
    assert find_driver(lambda: None) == Driver(problem="missing")
    assert find_driver(object) == Driver(problem="other", said="its library is older than 2012")
    assert load_nvml() is None or find_driver().problem != "missing"


def test_versions_are_compared_as_numbers() -> None:
    assert version_numbers("1000") > version_numbers("580.65.06") > version_numbers("99.9")
    assert version_numbers("580.65.06") >= version_numbers("580")


def test_cards_are_known_without_their_driver(tmp_path: Path) -> None:
    for name, kind, vendor in (
        ("0000:01:00.0", "0x030000", "0x10de"),
        ("0000:02:00.0", "0x030200", "0x1002"),
        ("0000:03:00.0", "0x020000", "0x8086"),  # a network card
        ("0000:04:00.0", "nonsense", "0x10de"),
    ):
        (tmp_path / name).mkdir()
        (tmp_path / name / "class").write_text(kind + "\n", encoding="ascii")
        (tmp_path / name / "vendor").write_text(vendor + "\n", encoding="ascii")
    (tmp_path / "0000:05:00.0").mkdir()
    assert linux_vendors(tmp_path) == {0x10DE, 0x1002}
    assert linux_vendors(tmp_path / "nowhere") == set()


def test_what_pytorch_is_built_for_is_read_without_importing_it() -> None:
    text = "__version__ = '2.13.0+cu130'\ncuda: Optional[str] = '13.0'\nhip: Optional[str] = None\n"
    assert torch_build(text) == TorchBuild("2.13.0+cu130", "13.0", "")
    text = '__version__ = "2.13.0+rocm7"\ncuda = None\nhip: Optional[str] = "7.0.2"\n'
    assert torch_build(text) == TorchBuild("2.13.0+rocm7", "", "7.0.2")
    import torch

    assert own_torch() == TorchBuild(
        torch.__version__, torch.version.cuda or "", torch.version.hip or ""
    )
