"""A stack from the drop to the exported mask, in the real window, with mouse and keys."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.test_story import ROOT, command, environment
from tests.e2e.volume_story import DEPTH, PAINTED, SIDE


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_stack_is_painted_learnt_corrected_and_exported(
    tmp_path: Path, orgseg_home: Path
) -> None:
    pictures = os.environ.get("ORGSEG_TEST_PICTURES", "")
    words = [str(w).replace("e2e.story", "e2e.volume_story") for w in command(tmp_path)]
    done = subprocess.run(
        [*words, *([pictures] if pictures else [])],
        cwd=ROOT,
        env=environment(orgseg_home),
        capture_output=True,
        text=True,
        timeout=800,
        check=False,
    )
    facts: dict[str, Any] = {}
    for line in done.stdout.splitlines():
        if line.startswith("{"):
            facts |= json.loads(line)
    assert done.returncode == 0, f"{facts}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
    assert facts["shape"] == [1, DEPTH, SIDE, SIDE]
    assert facts["planes"] == list(PAINTED)
    assert facts["wrong"] == 0
    assert facts["states"] == ["finished", "finished"]
    assert facts["predicted_iou"] > 0.5
    assert facts["retrained"] == "finished"
    assert "mistakes" in facts["about"]
    assert facts["ensemble"] == "finished"
    chosen = json.loads(facts["k"])
    assert len(chosen["ranked"]) == 3
    assert facts["exported"] == [DEPTH, SIDE, SIDE]
    assert facts["exported_iou"] > 0.5
