"""Memory of one frame is there for the next."""

from __future__ import annotations

import subprocess
import sys

import pytest

FRAMES = """
import resource, sys
import numpy as np
from orgseg_app.gui.allocation import keep_freed_memory
if sys.argv[1] == "kept":
    assert keep_freed_memory()
for frame in range(20):
    if frame == 10:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    one, two, three = (np.ones(3 << 20, np.uint8) for _ in range(3))
    del one, two, three
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="about glibc")
def test_frames_do_not_fetch_their_memory_anew() -> None:
    def faults(how: str) -> int:
        command = [sys.executable, "-c", FRAMES, how]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        return int(done.stdout)

    from orgseg_app.gui.allocation import keep_freed_memory

    if not keep_freed_memory():
        pytest.skip("another C library")
    assert faults("kept") < 100 < faults("given back")
