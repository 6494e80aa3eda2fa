"""Objects exported from the real window, as another program's files."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from orgseg_app.files.object_export import ways
from orgseg_app.files.object_files.reading import look_here, read_here
from orgseg_app.gui.panels.export_panel import OBJECTS, REPLACE
from tests.e2e.hand import Hand
from tests.pictures import make_project

pytestmark = pytest.mark.gui


def test_objects_go_out_as_qupath_takes_them(hand: Hand, folder: Path) -> None:
    hand.open(make_project(folder / "cells.orgseg", ("train", "test")))
    hand.action("export_objects")
    panel = hand.parts.export
    assert hand.window.workspace == "export"
    assert panel.mode.value() == OBJECTS
    hand.wait(lambda: panel.painted.images is not None, what="the painted images")
    assert panel.button.isEnabled()
    assert [panel.objects.box.itemData(n) for n in range(panel.objects.box.count())] == list(ways())
    assert panel.button.text() == "Export objects"
    assert not panel.formats.isVisible()
    panel.objects.box.setCurrentIndex(panel.objects.box.findData("geojson"))
    assert panel.objects.about.text() == ways()["geojson"].about
    out = panel.out()
    assert out == folder / "cells objects"

    panel.button.click()
    hand.wait(lambda: panel.progress.ended.isVisible(), what="the end of the export")
    assert panel.progress.outcome.text() == (
        "Objects of 2 images written to “cells objects” (2 files)."
    )
    assert "what hangs together in a class is an object" in panel.progress.problems.text()
    assert sorted(p.name for p in out.iterdir()) == ["zelle 0.geojson", "zelle 1.geojson"]
    assert json.loads((out / "zelle 0.geojson").read_text("utf-8"))["type"] == "FeatureCollection"
    known = look_here(out / "zelle 0.geojson")
    assert known is not None
    mask = hand.session.file.load_mask(hand.images[0].image_id).to_array()
    read = read_here(out / "zelle 0.geojson", "geojson", "", mask.shape)
    assert read.objects is not None
    assert np.array_equal(read.objects > 0, mask == 2)

    panel.button.click()  # they are there now
    hand.wait(lambda: "already" in panel.progress.outcome.text(), what="the refusal")
    panel.existing.button(REPLACE).click()
    panel.button.click()
    hand.wait(lambda: "written" in panel.progress.outcome.text().split(".")[0], what="the end")
    hand.action("export_masks")
    assert panel.formats.isVisible()
    assert not panel.objects.isVisible()
    assert panel.out() == folder / "cells masks"
