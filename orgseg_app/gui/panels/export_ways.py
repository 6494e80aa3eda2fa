"""How images are predicted: tiles, turns, three planes, votes, objects. One folded section."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QCheckBox, QVBoxLayout, QWidget

from orgseg_app.gui.runs.joining import HOW_WORDS, TURNS_WORDS
from orgseg_app.gui.runs.run_entry import RunEntry
from orgseg_app.gui.style.fields import Segments
from orgseg_app.gui.style.widgets import GAP, Caption, Section, label, plain_tip
from orgseg_app.runs.ensembles import HOWS
from orgseg_app.runs.recipes.networks import NETWORK_NAMES

TITLE = "How they are predicted"
STITCH_WORDS = {
    "blend": "Where tiles overlap, their answers flow into one another.",
    "deepest": "Each voxel is taken from the tile in which it lies deepest; no answer is mixed.",
}
PLANES_WORDS = (
    "A network of planes looks at a volume three times, along all three axes, and the answers are "
    "averaged. For volumes whose voxels are about as deep as wide."
)
OBJECTS_WORDS = (
    "Beside each mask: what hangs together (in a volume through all planes) as numbered objects, "
    "and a table with their sizes."
)


class PredictionWays(Section):
    """What may be asked for beside the models.

    Signals
    -------
    changed()
    """

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        page = QWidget()
        super().__init__(TITLE, page, expanded=False, parent=parent)
        self.stitch = Segments("Tiles", [("blend", "Blend"), ("deepest", "Deepest window")])
        self.stitch_words = Caption()
        self.how = Segments("Several models decide by", list(HOWS.items()))
        self.how_words = Caption()
        self.turns = _tick("Turn and mirror the images, too", TURNS_WORDS)
        self.three_planes = _tick("Volumes along all three axes", PLANES_WORDS)
        self.objects = _tick("Also numbered objects and a table", OBJECTS_WORDS)
        self._how_label = label("Several models decide by")
        column = QVBoxLayout(page)
        column.setContentsMargins(0, 0, 0, GAP)
        column.setSpacing(4)
        for part in (label("Tiles"), self.stitch, self.stitch_words):
            column.addWidget(part)
        column.addSpacing(4)
        for part in (self._how_label, self.how, self.how_words):
            column.addWidget(part)
        for box in (self.turns, self.three_planes, self.objects):
            column.addWidget(box)
            box.toggled.connect(self._on_changed)
        for choice in (self.stitch, self.how):
            choice.chosen.connect(self._on_changed)
        self.show_models([])

    def value(self) -> dict[str, Any]:
        """The choices, as `runs.prediction.prepare_prediction` takes them."""
        return {
            "stitch": self.stitch.value(),
            "turns": self.turns.isChecked(),
            "vote": not self.how.isHidden() and self.how.value() == "vote",
            "three_planes": self.three_planes.isEnabled() and self.three_planes.isChecked(),
            "objects": self.objects.isChecked(),
        }

    def show_models(self, models: Sequence[RunEntry]) -> None:
        """Offer what these models can do."""
        several = len(models) > 1
        for part in (self._how_label, self.how, self.how_words):
            part.setVisible(several)
        deep = next((m.name for m in models if _is_deep(m)), "")
        self.three_planes.setEnabled(not deep)
        why = f"“{deep}” looks at volumes already." if deep else PLANES_WORDS
        self.three_planes.setToolTip(plain_tip(why))
        self._show()

    def _on_changed(self, *_: object) -> None:
        self._show()
        self.changed.emit()

    def _show(self) -> None:
        self.stitch_words.setText(STITCH_WORDS[self.stitch.value()])
        self.how_words.setText(HOW_WORDS[self.how.value()])
        asked = self.value()
        is_usual = asked["stitch"] == "blend" and not any(
            asked[name] for name in ("turns", "vote", "three_planes", "objects")
        )
        self.header.setText(TITLE if is_usual else f"{TITLE} •")
        self.header.setAccessibleDescription("" if is_usual else "changed")


def _is_deep(entry: RunEntry) -> bool:
    """Whether a run's network is one of volumes."""
    info = NETWORK_NAMES.get(entry.recipe.network.name) if entry.recipe is not None else None
    return info is not None and info.dimensions == 3


def _tick(text: str, words: str) -> QCheckBox:
    box = QCheckBox(text)
    box.setToolTip(plain_tip(words))
    return box
