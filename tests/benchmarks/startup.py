"""Process start to the window's first paint, against a bare window of the same libraries.

Both are started in turn (A B A B ...) on one display, so that drift of the machine hits both alike;
the first pair warms the caches and does not count. Memory is the resident set at the first paint.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.benchmarks.display import display_environment
from tests.benchmarks.figure import Figure

ROOT = Path(__file__).resolve().parents[2]
WINDOW = [sys.executable, "main.py"]
BARE = [sys.executable, str(Path(__file__).with_name("bare_window.py"))]
PAIRS = 7
MOST_RATIO = 1.3
MOST_MB = 150
FORBIDDEN = ("torch", "scipy.optimize", "skimage", "zarr")
PATIENCE_S = 60


def measure(say: Callable[[str], None]) -> Iterator[Figure]:
    """Ratio of the medians, memory, and the modules that must wait until they are needed."""
    with tempfile.TemporaryDirectory() as home, display_environment() as environment:
        environment["ORGSEG_HOME"] = home  # not the user's settings and recent projects
        window_s, window_mb, bare_s, bare_mb = [], [], [], []
        for pair in range(PAIRS + 1):
            seconds, megabytes, _ = _start(WINDOW, environment, ready="1")
            bare_seconds, bare_megabytes, _ = _start(BARE, environment, ready="1")
            if pair == 0:
                continue
            say(f"start {pair} of {PAIRS}: {seconds:.3f} s, bare {bare_seconds:.3f} s")
            window_s.append(seconds)
            window_mb.append(megabytes)
            bare_s.append(bare_seconds)
            bare_mb.append(bare_megabytes)
        ratio = statistics.median(window_s) / statistics.median(bare_s)
        yield Figure(
            "startup.first_paint",
            statistics.median(window_s),
            "s",
            n=PAIRS,
            goal=f"ratio <= {MOST_RATIO}",
            met=ratio <= MOST_RATIO,
            bound=statistics.median(bare_s),
            ratio=ratio,
        )
        memory = statistics.median(window_mb)
        yield Figure(
            "startup.memory",
            memory,
            "MB",
            n=PAIRS,
            goal=f"<= {MOST_MB} MB",
            met=memory <= MOST_MB,
            bound=statistics.median(bare_mb),
            ratio=memory / statistics.median(bare_mb),
        )
        _, _, output = _start(WINDOW, environment, ready="modules")
    loaded = _modules(output)
    found = [name for name in FORBIDDEN if name in loaded]
    yield Figure(
        "startup.forbidden_modules",
        len(found),
        "modules",
        goal="none of " + ", ".join(FORBIDDEN),
        met=not found,
        note="loaded: " + ", ".join(found) if found else "",
    )


def _start(
    command: list[str], environment: dict[str, str], *, ready: str
) -> tuple[float, float, list[str]]:
    """Seconds from process start to the READY line, the MB it names, and the lines before it.

    Raises
    ------
    RuntimeError
        When the program ends without that line, or takes a minute.
    """
    with tempfile.TemporaryFile("w+") as errors:
        begin = time.perf_counter()
        child = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**environment, "ORGSEG_READY": ready},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
        assert child.stdout is not None
        before: list[str] = []
        patience = threading.Timer(PATIENCE_S, child.kill)
        patience.start()
        try:
            for line in child.stdout:
                if line.startswith("READY"):
                    seconds = time.perf_counter() - begin
                    return seconds, float(line.split()[1]), before
                before.append(line)
        finally:
            patience.cancel()
            child.kill()
            child.wait()
            child.stdout.close()
        errors.seek(0)
        raise RuntimeError(f"{command} showed no window:\n{errors.read()[-2000:]}")


def _modules(lines: list[str]) -> set[str]:
    """The module names in the JSON list among the lines printed."""
    for line in lines:
        if line.startswith("["):
            return set(json.loads(line))
    raise RuntimeError("The window printed no list of its modules.")
