"""``doctor``: what this computer offers, what is installed, and why it is slow if it is."""

from __future__ import annotations

import os
import platform
import shutil
import sys
import tempfile
import time
from argparse import Namespace
from importlib import metadata
from pathlib import Path
from typing import Any

from orgseg_app import __version__, paths
from orgseg_app.bootstrap import has_display
from orgseg_app.commands.console import out, out_json

_PACKAGES = (
    "PySide6-Essentials",
    "torch",
    "numpy",
    "scipy",
    "opencv-python-headless",
    "pyqtgraph",
    "h5py",
    "hdf5plugin",
    "tifffile",
    "imagecodecs",
    "safetensors",
    "msgspec",
    "psutil",
)
_GIB = 2**30


def run(asked: Namespace) -> int:
    """Print what was found out."""
    facts = _facts()
    if asked.json:
        out_json(facts)
        return 0
    device = facts["device"]
    out(f"OrgSeg {facts['orgseg']}  ·  Python {facts['python']}  ·  {facts['system']}")
    out(f"Device       {device['line']}")
    out(f"Processor    {device['capability']}, {facts['cores']} cores, {facts['load']}")
    if device["bf16_pays"] is not None:
        out(f"Half precision on the processor: {'pays' if device['bf16_pays'] else 'does not pay'}")
    out(f"Memory       {facts['memory_free_gib']:.1f} of {facts['memory_gib']:.1f} GiB free")
    out(f"Display      {'yes' if facts['display'] else 'none: no window, command line only'}")
    for name, place in facts["places"].items():
        free = f"{place['free_gib']:.1f} GiB free" if place["free_gib"] is not None else "–"
        writable = "" if place["writable"] else "  NOT WRITABLE"
        out(f"{name:<12} {place['path']}  ({free}){writable}")
    out("Versions     " + ", ".join(f"{name} {v}" for name, v in facts["versions"].items()))
    out()
    if facts["reasons"]:
        out("What slows it down or stands in the way:")
        for reason in facts["reasons"]:
            out(f"  · {reason}")
    else:
        out("Nothing stands in the way.")
    return 0


def _facts() -> dict[str, Any]:
    import psutil

    memory = psutil.virtual_memory()
    facts: dict[str, Any] = {
        "orgseg": __version__,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "cores": len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else (os.cpu_count() or 1),
        "memory_gib": memory.total / _GIB,
        "memory_free_gib": memory.available / _GIB,
        "display": has_display(),
        "places": {
            "Projects": _place(Path.cwd()),
            "Settings": _place(paths.config_dir()),
            "Logs": _place(paths.log_dir()),
            "Data": _place(paths.data_dir()),
        },
        "versions": _versions(),
        "device": _device(),
    }
    busy = psutil.cpu_percent(0.3)
    facts["load"] = f"{busy:.0f} % busy"
    facts["reasons"] = _reasons(facts, busy)
    return facts


def _versions() -> dict[str, str]:
    found: dict[str, str] = {}
    for name in _PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "part of the app" if getattr(sys, "frozen", False) else "missing"
    return found


def _place(path: Path) -> dict[str, Any]:
    there = next(part for part in (path, *path.parents) if part.exists())
    try:
        free: float | None = shutil.disk_usage(there).free / _GIB
    except OSError:
        free = None
    try:
        with tempfile.TemporaryFile(dir=there):
            writable = True
    except OSError:
        writable = False
    return {"path": str(path), "free_gib": free, "writable": writable}


def _device() -> dict[str, Any]:
    """What torch finds; imported here because it takes a second or more."""
    facts: dict[str, Any] = {
        "line": "",
        "kind": None,
        "precision": None,
        "threads": None,
        "capability": platform.processor() or platform.machine(),
        "bf16_pays": None,
        "torch_build": _versions()["torch"],
        "import_seconds": None,
        "problem": None,
    }
    start = time.perf_counter()
    try:
        from orgseg_app.learn.device import choose_device, cpu_capability
    except (ImportError, OSError) as error:
        facts["line"] = "none: torch cannot be loaded"
        facts["problem"] = str(error)
        return facts
    facts["import_seconds"] = round(time.perf_counter() - start, 2)
    facts["capability"] = cpu_capability()
    try:
        device = choose_device()
    except ValueError as error:
        return facts | {"line": f"none: {error}", "problem": str(error)}
    facts |= {"line": str(device), "kind": device.kind, "precision": device.precision}
    facts["threads"] = device.threads
    if device.kind == "cpu":
        facts["bf16_pays"] = device.precision == "bf16"
    return facts


def _has_nvidia_card() -> bool:
    if sys.platform.startswith("linux"):
        return Path("/proc/driver/nvidia/version").exists()
    return shutil.which("nvidia-smi") is not None


def _reasons(facts: dict[str, Any], busy: float) -> list[str]:
    device, reasons = facts["device"], []
    if device["problem"]:
        reasons.append(f"Training is not possible: {device['problem']}")
    if device["kind"] == "cpu":
        if _has_nvidia_card():
            reasons.append(
                f"An NVIDIA card is in this computer, but torch {device['torch_build']} does not "
                "use it: install a CUDA build of torch, or a newer driver. See README, GPU."
            )
        else:
            reasons.append(
                "No graphics card that torch can use: training runs on the processor. Small "
                'recipes ("fast") are made for that.'
            )
        if device["bf16_pays"] is False:
            reasons.append("The processor has no quick half precision: about half the speed.")
        if facts["cores"] <= 2:
            reasons.append(f"Only {facts['cores']} processor cores.")
    if os.environ.get("OMP_NUM_THREADS"):
        reasons.append(f"OMP_NUM_THREADS is set to {os.environ['OMP_NUM_THREADS']}.")
    if busy > 50:
        reasons.append(f"Other programs keep the processor {busy:.0f} % busy just now.")
    if facts["memory_free_gib"] < 2:
        reasons.append("Less than 2 GiB of memory are free: close other programs.")
    for name, place in facts["places"].items():
        if not place["writable"]:
            reasons.append(f"{name}: nothing can be written to {place['path']}.")
        elif place["free_gib"] is not None and place["free_gib"] < 2:
            reasons.append(f"{name}: less than 2 GiB are free on the disk of {place['path']}.")
    return reasons
