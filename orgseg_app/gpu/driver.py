"""The NVIDIA driver, asked through its own library (NVML) without starting a program.

NVML belongs to the driver and is there whenever the driver is; its functions, their arguments and
error codes are in NVIDIA's "NVML API Reference". Nothing of CUDA is loaded. Ask from a process that
may wait: a card that sleeps takes a second to answer, a broken driver may take for ever.
"""

from __future__ import annotations

import ctypes
import os
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MISSING, MISMATCH, NOT_LOADED, DENIED, LOST, OTHER = (
    "missing", "mismatch", "not loaded", "denied", "lost", "other",
)  # fmt: skip
"""Why no card can be had from the driver: `Driver.problem`."""

_PROBLEMS = {4: DENIED, 9: NOT_LOADED, 12: MISSING, 15: LOST, 18: MISMATCH}
"""NVML's error codes that have a cure of their own."""

_TEXT_BYTES = 96
"""NVML_DEVICE_NAME_V2_BUFFER_SIZE; the driver's version needs 80."""
_MOST_CARDS = 64


@dataclass(frozen=True)
class Card:
    """A graphics card that the driver knows.

    Attributes
    ----------
    name
        "NVIDIA GeForce RTX 3060".
    memory_bytes
        Its own memory; 0 when it does not say.
    capability
        CUDA compute capability, (major, minor); (0, 0) when it does not say.
    """

    name: str
    memory_bytes: int
    capability: tuple[int, int]


@dataclass(frozen=True)
class Driver:
    """What the NVIDIA driver says.

    Attributes
    ----------
    version
        "550.54.14"; "" when none answers.
    cuda
        Newest CUDA that it can run, "12.4"; "" unknown.
    cards
        In the driver's order.
    problem
        "" or why no card can be had: one of `MISSING` … `OTHER`.
    said
        The driver's own words about the problem.
    """

    version: str = ""
    cuda: str = ""
    cards: tuple[Card, ...] = ()
    problem: str = ""
    said: str = ""


class _NvmlError(Exception):
    def __init__(self, code: int, said: str) -> None:
        super().__init__(said)
        self.code, self.said = code, said


class _Memory(ctypes.Structure):
    """``nvmlMemory_t``."""

    _fields_ = (
        ("total", ctypes.c_ulonglong),
        ("free", ctypes.c_ulonglong),
        ("used", ctypes.c_ulonglong),
    )


def load_nvml() -> Any | None:
    """The driver's library, or None where there is no driver.

    By full paths on Windows, so that a file of that name lying beside the program is not loaded.
    """
    for name in _library_names():
        try:
            return ctypes.CDLL(name)
        except OSError:
            continue
    return None


def _library_names() -> list[str]:
    if sys.platform == "win32":
        system = os.environ.get("SYSTEMROOT", r"C:\Windows")
        programs = os.environ.get("PROGRAMFILES", r"C:\Program Files")
        return [
            str(Path(system, "System32", "nvml.dll")),
            str(Path(programs, "NVIDIA Corporation", "NVSMI", "nvml.dll")),
        ]
    if sys.platform == "darwin":
        return []
    return ["libnvidia-ml.so.1", "/usr/lib/wsl/lib/libnvidia-ml.so.1"]


def find_driver(load: Callable[[], Any | None] = load_nvml) -> Driver:
    """Ask the driver for itself and its cards.

    Parameters
    ----------
    load
        Returns an object with NVML's functions, or None.
    """
    library = load()
    if library is None:
        return Driver(problem=MISSING)
    try:
        _check(library, library.nvmlInit_v2())
    except _NvmlError as error:
        return Driver(problem=_PROBLEMS.get(error.code, OTHER), said=error.said)
    except AttributeError:
        return Driver(problem=OTHER, said="its library is older than 2012")
    try:
        return _look(library)
    finally:
        library.nvmlShutdown()


def _look(library: Any) -> Driver:
    version = cuda = ""
    cards: list[Card] = []
    try:
        version = _text(library, library.nvmlSystemGetDriverVersion)
        cuda = _cuda_version(library)
        count = ctypes.c_uint()
        _check(library, library.nvmlDeviceGetCount_v2(ctypes.byref(count)))
        cards = [_card(library, index) for index in range(min(count.value, _MOST_CARDS))]
    except _NvmlError as error:
        return Driver(version, cuda, (), _PROBLEMS.get(error.code, OTHER), error.said)
    return Driver(version, cuda, tuple(cards), "" if cards else LOST)


def _card(library: Any, index: int) -> Card:
    handle = ctypes.c_void_p()
    number = ctypes.c_uint(index)
    _check(library, library.nvmlDeviceGetHandleByIndex_v2(number, ctypes.byref(handle)))
    name = _text(library, lambda *rest: library.nvmlDeviceGetName(handle, *rest))
    memory, major, minor = _Memory(), ctypes.c_int(), ctypes.c_int()
    # Cards that are cut into parts say no memory; that is no reason not to use them.
    has_memory = library.nvmlDeviceGetMemoryInfo(handle, ctypes.byref(memory)) == 0
    library.nvmlDeviceGetCudaComputeCapability(handle, ctypes.byref(major), ctypes.byref(minor))
    return Card(name, int(memory.total) if has_memory else 0, (major.value, minor.value))


def _cuda_version(library: Any) -> str:
    number = ctypes.c_int()
    function = getattr(library, "nvmlSystemGetCudaDriverVersion_v2", None)
    if function is None or function(ctypes.byref(number)) != 0:
        return ""
    return f"{number.value // 1000}.{number.value % 1000 // 10}"


def _text(library: Any, function: Callable[..., int]) -> str:
    buffer = ctypes.create_string_buffer(_TEXT_BYTES)
    _check(library, function(buffer, ctypes.c_uint(_TEXT_BYTES)))
    return " ".join(buffer.value.decode("utf-8", "replace").split())


def _check(library: Any, code: int) -> None:
    if code == 0:
        return
    said = f"NVML error {code}"
    function = getattr(library, "nvmlErrorString", None)
    if function is not None:
        function.restype = ctypes.c_char_p
        words = function(ctypes.c_int(code))
        said = words.decode("utf-8", "replace") if words else said
    raise _NvmlError(code, said)


def version_numbers(version: str) -> tuple[int, ...]:
    """A version as numbers to compare: "550.54.14" → (550, 54, 14).

    >>> version_numbers("525") <= version_numbers("525.60.13")
    True
    """
    return tuple(int(number) for number in re.findall(r"\d+", version))
