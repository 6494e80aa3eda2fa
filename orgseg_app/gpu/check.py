"""The self-test of the program that computes, in a process of its own that may crash or hang."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from orgseg_app.gpu.choice import SelfTest, as_its_own, remember
from orgseg_app.gpu.driver import find_driver
from orgseg_app.gpu.errors import CancelledError
from orgseg_app.gpu.install import Installed
from orgseg_app.program import program_command, program_environment

TEST_LIMIT_S = 90.0
"""For the test's ten seconds, and for loading gigabytes from a slow disk before them."""
_LOOK_EVERY_S = 0.05
_NO_WINDOW: int = getattr(subprocess, "CREATE_NO_WINDOW", 0)


def self_test(
    pack: Installed | None,
    is_cancelled: Callable[[], bool] = lambda: False,
    limit_s: float = TEST_LIMIT_S,
) -> SelfTest:
    """Let the pack's program, or with None this one, test its device; keep how it went.

    Raises
    ------
    CancelledError
        When it was given up; what was known before holds.
    """
    driver = find_driver().version
    start = time.monotonic()
    answer, why = ask(pack, "doctor", "--self-test", "--here", "--json",
                      is_cancelled=is_cancelled, limit_s=limit_s)  # fmt: skip
    test = SelfTest(False, why)
    if answer is not None:
        try:
            test = msgspec.convert(answer, SelfTest)
        except msgspec.ValidationError:
            test = SelfTest(False, "the self-test gave no answer that can be read")
    if pack is not None and test.passed and not test.device:
        test = SelfTest(False, "the self-test named no device")
    elif pack is not None and test.passed and test.device.startswith("CPU"):
        test = SelfTest(False, "the pack itself computes on the processor", device=test.device)
    test = msgspec.structs.replace(
        test,
        pack=pack.sha256 if pack is not None else "",
        driver=driver,
        when=time.time(),
        seconds=test.seconds or round(time.monotonic() - start, 1),
    )
    try:
        remember(test)
    except OSError:
        test = msgspec.structs.replace(
            test, passed=False, reason="how the test went cannot be written to the disk"
        )
    return test


def ask(
    pack: Installed | None,
    *arguments: str,
    is_cancelled: Callable[[], bool] = lambda: False,
    limit_s: float = TEST_LIMIT_S,
) -> tuple[dict[str, Any] | None, str]:
    """Start the program with a question that it answers in JSON.

    Returns
    -------
    answer, why
        A JSON object and "", or None and the end of a sentence.

    Raises
    ------
    CancelledError
        When it was given up.
    """
    command = [str(pack.program), *arguments] if pack is not None else program_command(*arguments)
    # Into files: a pipe that nobody reads stops a program that has much to say.
    with tempfile.TemporaryFile() as said, tempfile.TemporaryFile() as complained:
        try:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=complained,
                env=as_its_own(_quiet(program_environment())),
                creationflags=_NO_WINDOW,
            )
        except OSError as error:
            return None, f"the program that computes does not start ({error.strerror or error})"
        try:
            deadline = time.monotonic() + limit_s
            while process.poll() is None:
                if is_cancelled():
                    raise CancelledError("Cancelled. Nothing was changed.")
                if time.monotonic() > deadline:
                    return (
                        None,
                        f"the program that computes did not answer within {limit_s:.0f} seconds",
                    )
                time.sleep(_LOOK_EVERY_S)
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()
        said.seek(0)
        complained.seek(max(0, complained.seek(0, os.SEEK_END) - 4000))
        return _read(said.read(1 << 20), complained.read(), process.returncode)


def _read(said: bytes, complained: bytes, code: int) -> tuple[dict[str, Any] | None, str]:
    try:
        answer = json.loads(said.decode("utf-8").strip().splitlines()[-1])
        if isinstance(answer, dict):
            return answer, ""
    except (ValueError, IndexError):
        pass
    lines = complained.decode("utf-8", "replace").strip().splitlines()
    last = " ".join(lines[-1].split())[:200] if lines else ""
    how = f"crashed (signal {-code})" if code < 0 else f"ended with code {code}"
    if sys.platform == "win32" and code > 255:
        how = f"crashed (0x{code:08X})"
    return None, f"the program that computes {how}" + (f": {last.rstrip('.')}" if last else "")


def _quiet(environment: Mapping[str, str]) -> dict[str, str]:
    """Waiting threads give their core away; the answer is UTF-8."""
    return {"OMP_WAIT_POLICY": "PASSIVE", **environment, "PYTHONIOENCODING": "utf-8"}
