"""``doctor``: what this computer offers, what is installed, and why it is slow if it is.

The device is that of the program that computes: this one, or the GPU pack's, which is asked in a
process of its own. Whether a card can be used is found out by its self-test, which is done here
when it has not been done with this pack and driver.
"""

from __future__ import annotations

import dataclasses
import os
import platform
import shutil
import sys
import tempfile
import time
from argparse import Namespace
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orgseg_app import __version__, paths
from orgseg_app.bootstrap import has_display
from orgseg_app.commands.console import out, out_json

if TYPE_CHECKING:
    from orgseg_app.gpu.situation import Situation, Verdict

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
    """Print what was found out, or how a test went."""
    if asked.self_test:
        return _self_test(asked)
    if asked.gpu:
        return _only_gpu(asked)
    facts = _facts(here=asked.here)
    if asked.report is not None:
        from orgseg_app.commands.diagnosing import write_report

        return write_report(asked, facts)
    if asked.json:
        out_json(facts)
        return 0
    device = facts["device"]
    out(f"OrgSeg {facts['orgseg']}  ·  Python {facts['python']}  ·  {facts['system']}")
    out(f"Device       {device['line']}")
    out(f"Graphics     {facts['gpu']['sentence']}")
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
    reasons = [reason for reason in facts["reasons"] if reason != facts["gpu"]["sentence"]]
    if reasons:
        out("What slows it down or stands in the way:")
        for reason in reasons:
            out(f"  · {reason}")
    else:
        out("Nothing stands in the way.")
    return 0


def _self_test(asked: Namespace) -> int:
    """Test what computes, in a process of its own; with ``--here``, in this one."""
    import msgspec

    if asked.here:
        from orgseg_app.learn.self_test import run_self_test

        test = run_self_test()
    else:
        from orgseg_app.gpu.check import self_test
        from orgseg_app.gpu.install import installed

        pack = installed()
        test = self_test(pack if pack is not None and pack.fits else None)
    if asked.json:
        out_json(msgspec.to_builtins(test))
    elif test.passed:
        ratio = f", {test.times_cpu:.1f} × as fast as the processor" if test.times_cpu else ""
        out(f"{test.device}: works{ratio}. Tested in {test.seconds:.0f} s.")
    else:
        out(f"Not used: {test.reason}. Training runs on the processor.")
    return 0 if test.passed else 1


def _only_gpu(asked: Namespace) -> int:
    """What is known without loading PyTorch: quick."""
    from orgseg_app.gpu.situation import judge, look

    now = look()
    if asked.json:
        out_json(_told(now, judge(now)))
    else:
        out(judge(now).sentence)
    return 0


def _told(now: Situation, verdict: Verdict) -> dict[str, Any]:
    import msgspec

    return {**dataclasses.asdict(verdict), "situation": msgspec.to_builtins(now)}


def _gpu(*, here: bool) -> tuple[dict[str, Any], dict[str, Any]]:
    """The device that computes, and what is said about graphics cards."""
    from orgseg_app.gpu import check, choice, install, situation
    from orgseg_app.gpu.offers import suits

    now, answer = situation.look(), None
    pack = install.installed()
    if not here and pack is not None and pack.fits and pack.is_whole:
        if suits(pack.facts.needs, now.driver) and not now.is_tested:
            now = dataclasses.replace(now, test=check.self_test(pack))
        if choice.chosen_pack() is not None:
            answer, why = check.ask(pack, "doctor", "--here", "--json")
            if answer is None:
                choice.give_up_on([str(pack.program)], why)
                now = dataclasses.replace(now, test=choice.last_test(pack))
    device = answer.get("device") if answer is not None else None
    if not isinstance(device, dict) or "line" not in device:
        device = _device()
        # With a pack that is not used, what this program finds says nothing about the card.
        kind = device["kind"] if now.pack is None else ""
        now = dataclasses.replace(now, kind=kind or "")
    return device, _told(now, situation.judge(now))


def _facts(*, here: bool) -> dict[str, Any]:
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
    }
    facts["device"], facts["gpu"] = _gpu(here=here)
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


def _reasons(facts: dict[str, Any], busy: float) -> list[str]:
    device, reasons = facts["device"], []
    if device["problem"]:
        reasons.append(f"Training is not possible: {device['problem']}")
    if device["kind"] == "cpu":
        reasons.append(facts["gpu"]["sentence"])
        if facts["gpu"]["to_do"] == "":
            reasons.append('Small recipes ("fast") are made for training on the processor.')
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
