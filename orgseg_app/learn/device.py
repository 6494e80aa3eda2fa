"""Where to compute, found out and said in one true sentence.

On processors with bfloat16 units the same network trains about twice as fast in half precision
(channels-last, autocast); on others bfloat16 is emulated and slower. So it is tried out, in less
than half a second, before it is used; the answer is kept for a month (`orgseg_app.paths.cache_dir`)
so that the next training begins sooner. Idle OpenMP threads that spin would take the processor away
from the window: the launcher sets ``OMP_WAIT_POLICY=PASSIVE`` before this process starts.
"""

from __future__ import annotations

import contextlib
import gc
import math
import os
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch.nn import functional

from orgseg_app import paths
from orgseg_app.runs.process import read_json, write_json

THREADS_VARIABLE = "ORGSEG_THREADS"
"""Environment: how many processor threads to use instead of one a core that we may have."""
DEVICE_VARIABLE = "ORGSEG_DEVICE"
"""Environment: ``cpu``, ``cuda`` or ``mps`` instead of the best one found."""
PRECISION_VARIABLE = "ORGSEG_PRECISION"
"""Environment: ``fp32``, ``bf16`` or ``fp16`` instead of what is quickest."""

_PROBE_DAYS = 30.0

_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass(frozen=True)
class Device:
    """A place to compute.

    Attributes
    ----------
    kind
        ``"cpu"``, ``"cuda"`` or ``"mps"``.
    name
        The graphics card's name, or ``"CPU"``.
    precision
        ``"fp32"``, ``"bf16"`` or ``"fp16"``.
    threads
        Processor threads that torch uses.
    """

    kind: str
    name: str
    precision: str
    threads: int

    @property
    def torch_device(self) -> torch.device:
        """For ``tensor.to``."""
        return torch.device(self.kind)

    @property
    def needs_scaler(self) -> bool:
        """True where gradients would vanish in half precision without scaling."""
        return self.precision == "fp16"

    def autocast(self) -> contextlib.AbstractContextManager[object]:
        """Context in which networks run in this device's precision."""
        if self.precision == "fp32":
            return contextlib.nullcontext()
        return torch.autocast(self.kind, dtype=_DTYPES[self.precision])

    def with_precision(self, precision: str) -> Device:
        """The same device, computing in another precision."""
        return replace(self, precision=precision)

    def __str__(self) -> str:
        """The device line: ``CPU · 2 threads · bf16``, ``NVIDIA H100 · fp16``."""
        parts = [self.name]
        if self.kind == "cpu":
            parts.append(f"{self.threads} thread" + ("s" if self.threads != 1 else ""))
        return " · ".join([*parts, self.precision])


def choose_device() -> Device:
    """The quickest device of this computer: NVIDIA or AMD card, Apple GPU, else the processor.

    A card that is there but does not answer is passed over. Takes up to half a second on a
    processor that may have bfloat16 units.

    Raises
    ------
    ValueError
        With a sentence, when the environment asks for a device that is not there.
    """
    threads = _set_threads()
    wanted = os.environ.get(DEVICE_VARIABLE, "").lower()
    if wanted not in ("", "cpu", "cuda", "mps"):
        raise ValueError(f"{DEVICE_VARIABLE} may be cpu, cuda or mps, not {wanted!r}.")
    for kind, find in (("cuda", _cuda_name), ("mps", _mps_name)):
        if wanted in ("", kind):
            name = find()
            if name:
                # Apple GPUs: half precision gains little there and has not been tried.
                half = "bf16" if kind == "cuda" and _cuda_has_bf16() else "fp16"
                precision = half if kind == "cuda" else "fp32"
                return Device(kind, name, _precision(precision), threads)
            if wanted == kind:
                raise ValueError(f"{DEVICE_VARIABLE} asks for {kind}, but no such device answers.")
    return cpu_device(probe=True)


def cpu_device(*, probe: bool = False) -> Device:
    """The processor; with `probe` in bfloat16 where that is measured to be quicker."""
    quick = probe and PRECISION_VARIABLE not in os.environ and _bf16_is_known_to_pay()
    return Device("cpu", "CPU", _precision("bf16" if quick else "fp32"), torch.get_num_threads())


def bf16_pays_on_cpu(limit_s: float = 0.4) -> bool:
    """Whether bfloat16 convolutions are clearly quicker here, by trying, within `limit_s` seconds.

    Only processors whose capability says that they have the units are tried at all.
    """
    if not torch.backends.mkldnn.is_available() or not _cpu_may_have_bf16():
        return False
    image = torch.randn(2, 32, 96, 96).to(memory_format=torch.channels_last).requires_grad_()
    kernel = torch.randn(32, 32, 3, 3).requires_grad_()
    end = time.perf_counter() + limit_s

    def half() -> None:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            functional.conv2d(image, kernel, padding=1).sum().backward()

    def full() -> None:
        functional.conv2d(image, kernel, padding=1).sum().backward()

    best = {"half": float("inf"), "full": float("inf")}
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # waiting for a thread on a busy core would be all that is measured
    tries: tuple[tuple[str, Callable[[], None]], ...] = (("half", half), ("full", full))
    for round_number in range(200):  # the least of many: other programs disturb single ones
        for key, run in tries:
            start = time.perf_counter()
            run()
            if round_number:  # the first round builds the kernels
                best[key] = min(best[key], time.perf_counter() - start)
        if time.perf_counter() > end and round_number > 1:
            break
    torch.set_num_threads(threads)
    return best["half"] < 0.9 * best["full"]


def cpu_capability() -> str:
    """The processor's vector units as torch uses them: ``"AVX512"``, ``"AVX2"``, ``"DEFAULT"``."""
    return str(torch.backends.cpu.get_cpu_capability())


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory, of a card or of the computer, ran out."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    text = str(error).lower()
    return isinstance(error, RuntimeError) and any(
        words in text for words in ("out of memory", "not enough memory", "can't allocate memory")
    )


def free_memory() -> None:
    """Give memory that torch keeps for later back to the graphics card."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def suited(device: Device, precision: str) -> tuple[Device, str]:
    """A device as a recipe wants it.

    Parameters
    ----------
    device
        As `choose_device` found it.
    precision
        ``"auto"`` (as found), ``"fp32"``, ``"bf16"`` or ``"fp16"``.

    Returns
    -------
    device, sentence
        The sentence says why it is not as wanted; empty otherwise.
    """
    if precision in ("auto", device.precision):
        return device, ""
    if precision == "fp16" and device.kind == "cpu":
        # Measured: 3 GFLOP/s, some hundred times slower than either of the others.
        return device, (
            f"Processors cannot learn in fp16; going on in {device.precision}. That needs a "
            "graphics card."
        )
    if precision == "bf16" and device.kind == "mps":
        return device, "Apple GPUs do not learn in bf16; going on in full precision."
    return device.with_precision(precision), ""


def usable_cores() -> int:
    """Cores that this process may use: real ones, as far as the system or a container allows."""
    import psutil

    affinity = getattr(os, "sched_getaffinity", None)
    allowed = len(affinity(0)) if affinity is not None else (os.cpu_count() or 1)
    real, logical = psutil.cpu_count(logical=False) or 0, psutil.cpu_count() or 0
    if 0 < real < logical:  # two threads of one core share its vector units
        allowed = max(1, round(allowed * real / logical))
    with contextlib.suppress(OSError, ValueError):
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text(encoding="ascii").split()
        allowed = min(allowed, math.ceil(int(quota) / int(period)))
    return max(1, allowed)


def _bf16_is_known_to_pay() -> bool:
    """`bf16_pays_on_cpu`, tried once a month for each processor and each version of torch."""
    path = paths.cache_dir() / "precision.json"
    facts = {
        "processor": f"{processor_name()} {cpu_capability()}",
        "torch": str(torch.__version__),
    }
    known = read_json(path) or {}
    answer, tried = known.get("bf16_pays"), known.get("tried")
    if isinstance(answer, bool) and isinstance(tried, (int, float)):
        is_fresh = 0 <= time.time() - tried < _PROBE_DAYS * 86400
        if is_fresh and all(known.get(key) == value for key, value in facts.items()):
            return answer
    answer = bf16_pays_on_cpu()
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, facts | {"bf16_pays": answer, "tried": int(time.time())})
    return answer


def processor_name() -> str:
    """What the computer calls its processor."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
        line = next((t for t in text.splitlines() if t.startswith("model name")), "")
        if line:
            return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def _cpu_may_have_bf16() -> bool:
    capability = torch.backends.cpu.get_cpu_capability()
    if "AVX512" not in capability and "AMX" not in capability:
        # ARM servers with bfloat16 units say SVE; all others would emulate.
        return "SVE" in capability
    supported = getattr(torch.cpu, "_is_avx512_bf16_supported", None)
    return True if supported is None else bool(supported())


def _cuda_name() -> str:
    try:
        if not torch.cuda.is_available():
            return ""
        local = os.environ.get("LOCAL_RANK", "")  # of torchrun: each process has its own card
        if local.isdigit():
            torch.cuda.set_device(int(local) % torch.cuda.device_count())
        torch.zeros(1, device="cuda").add_(1).item()
        return str(torch.cuda.get_device_name())
    except (RuntimeError, AssertionError):
        return ""


def _cuda_has_bf16() -> bool:
    # Cards before Ampere (8.0) emulate bfloat16; fp16 has units there.
    return torch.version.hip is not None or torch.cuda.get_device_capability()[0] >= 8


def _mps_name() -> str:
    try:
        if not torch.backends.mps.is_available():
            return ""
        torch.zeros(1, device="mps").add_(1).item()
        return "Apple GPU"
    except RuntimeError:
        return ""


def _precision(default: str) -> str:
    wanted = os.environ.get(PRECISION_VARIABLE, default).lower()
    if wanted not in _DTYPES:
        raise ValueError(f"{PRECISION_VARIABLE} may be fp32, bf16 or fp16, not {wanted!r}.")
    return wanted


def _set_threads() -> int:
    text = os.environ.get(THREADS_VARIABLE, "")
    if text:
        if not text.isdigit() or int(text) < 1:
            raise ValueError(f"{THREADS_VARIABLE} must be a whole number from 1 on, not {text!r}.")
        torch.set_num_threads(int(text))
    elif "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(usable_cores())
    return torch.get_num_threads()
