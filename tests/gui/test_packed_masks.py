"""What nobody is painting in takes little memory, and is painted on as before."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from orgseg_app.core import blocks
from orgseg_app.core.block_runs import BlockRuns
from orgseg_app.core.classes import default_classes
from orgseg_app.core.edits.strokes import PaintStroke
from orgseg_app.core.edits.whole import ReplaceMask
from orgseg_app.core.image import open_array
from orgseg_app.files.images.intake import NewImage
from orgseg_app.gui.editing import painting
from orgseg_app.gui.session import Session

SIDE = 1000


def test_blocks_are_packed_once_the_hand_rests(
    tmp_path: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blocks, "_MOST_PLAIN", 3)
    monkeypatch.setattr(painting, "PACK_AFTER_MS", 1)
    monkeypatch.setattr(painting, "PACKED_AT_ONCE", 2)
    session = Session()
    session.create_project(tmp_path / "packed.orgseg", default_classes(["cell"]))
    assert session.file is not None
    image = NewImage(open_array("flat", np.zeros((SIDE, SIDE), np.uint8)))
    (added,) = session.file.add_images([image])
    session.select_image(added.image_id)
    expected = np.ones((1, SIDE, SIDE), np.uint8)
    session.apply(ReplaceMask(expected))
    mask = session.mask()

    def packed() -> int:
        return sum(isinstance(block, BlockRuns) for block in mask._blocks.values())

    qtbot.waitUntil(lambda: packed() == 16 - 3)
    session.apply(PaintStroke(0, ((10.5, 10.5), (10.5, 900.5)), 9, 2))
    painted = mask.to_array()
    assert (painted == 2).sum() > 8000
    qtbot.waitUntil(lambda: packed() == 16 - 3)
    assert np.array_equal(mask.to_array(), painted)
    session.undo()
    assert np.array_equal(mask.to_array(), expected)
    session.redo()
    session.fold_in()
    qtbot.waitUntil(lambda: session.background.is_idle and session.saving.is_idle)
    path = session.path
    assert session.close_project()
    assert path is not None
    session.open_project(path)
    assert np.array_equal(session.mask(added.image_id).to_array(), painted)
    session.close_project()
