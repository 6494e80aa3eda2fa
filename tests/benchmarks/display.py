"""A display for windows that are to be measured: the one at hand, or a virtual one."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator

SCREEN = "1400x900x24"


@contextlib.contextmanager
def display_environment() -> Iterator[dict[str, str]]:
    """Environment variables for a child that shows windows, for as long as the block lasts.

    On Linux without ``DISPLAY`` an Xvfb of its own is started and stopped again.

    Raises
    ------
    RuntimeError
        When Xvfb is needed and missing, or does not start.
    """
    environment = {key: value for key, value in os.environ.items() if key != "QT_QPA_PLATFORM"}
    if not sys.platform.startswith("linux") or environment.get("DISPLAY"):
        yield environment
        return
    if shutil.which("Xvfb") is None:
        raise RuntimeError("There is no display and no Xvfb; install it: apt-get install xvfb")
    read_end, write_end = os.pipe()
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(write_end), "-screen", "0", SCREEN, "-nolisten", "tcp"],
        pass_fds=[write_end],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        os.close(write_end)
        with os.fdopen(read_end) as answer:
            number = answer.readline().strip()  # empty when the server ended instead
        if not number:
            raise RuntimeError("Xvfb did not start.")
        yield {**environment, "DISPLAY": f":{number}", "QT_QPA_PLATFORM": "xcb"}
    finally:
        server.terminate()
        server.wait(timeout=10)
