"""Every tool by mouse and by keys in one real window; done there by `tests.e2e.tool_window`."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from typing import Any

import pytest

from orgseg_app.gui.canvas.tools.registry import TOOLS
from tests.e2e.test_story import ROOT, environment
from tests.e2e.tool_acts import ACTS, KEYS, MOUSE
from tests.e2e.tool_window import performances

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
TITLES = list(performances())


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """What came of everything that was done in the window, by its title."""
    folder = tmp_path_factory.mktemp("tools")
    command = [sys.executable, "-m", "tests.e2e.tool_window", str(folder)]
    if shutil.which("xvfb-run") and sys.platform == "linux":
        command = ["xvfb-run", "-a", "-s", "-screen 0 1400x900x24", *command]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={**environment(folder / "home"), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=880,
        check=False,
    )
    facts = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    assert done.returncode == 0, f"{facts[-1:]}\n{done.stderr[-4000:]}"
    assert facts[-1] == {"errors": []}
    return {fact["title"]: fact for fact in facts[:-1]}


def test_every_tool_is_used_by_mouse_and_by_keys() -> None:
    """A new tool belongs into `tool_acts`, too."""
    used = {(act.tool, act.by) for act in ACTS}
    assert used == {(tool, by) for tool in TOOLS for by in (MOUSE, KEYS)}
    assert len(TITLES) == len(set(TITLES))


@pytest.mark.parametrize("title", TITLES)
def test_in_the_window(told: dict[str, dict[str, Any]], title: str) -> None:
    fact = told[title]
    assert not fact["failed"], fact["failed"]
