"""What the tour shows: where each step points, what it says, and how one sees that it was done."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from orgseg_app.gui.panels.images_panel import SPLIT_KEYS
from orgseg_app.gui.tour.placing import ABOVE, INSIDE, LEFT, RIGHT

if TYPE_CHECKING:
    from PySide6.QtWidgets import QWidget

    from orgseg_app.gui.main_window import MainWindow
    from orgseg_app.gui.session import Session

STROKES = 2
"""One on what is looked for, one beside it: less cannot be learned from."""


@dataclass(frozen=True)
class Step:
    """One step.

    Attributes
    ----------
    title, text
        What to do, as a verb; how, in two or three sentences, keys as ``{action id}``.
    workspace
        Where it is done.
    target
        The widget it is done with.
    sides
        Where the callout may stand, best first; see `placing.place`.
    signs
        Signals after which it may be done.
    mark
        What doing it changes.
    is_done
        Of the mark when the step began and the mark now.
    """

    title: str
    text: str
    workspace: str
    target: Callable[[MainWindow], QWidget]
    sides: tuple[str, ...]
    signs: Callable[[MainWindow], tuple[Any, ...]]
    mark: Callable[[MainWindow], Any] = lambda window: None
    is_done: Callable[[Any, Any], bool] = lambda before, now: before != now

    def words(self, window: MainWindow) -> str:
        """The text with the keys in force; an action that has none is named."""

        def key_of(found: re.Match[str]) -> str:
            keys = window.shortcuts.native_keys(found[1]).split(", ")
            return keys[0] or f"“{window.actions_by_id[found[1]].text()}”"

        return re.sub(r"\{(\w+)\}", key_of, self.text)


def _splits(window: MainWindow) -> dict[str, str]:
    project = window.session.project
    return {i: image.split for i, image in project.images.items()} if project else {}


def _session(window: MainWindow) -> Session:
    return window.session


def _parts(window: MainWindow) -> Any:
    # Untyped: the window's modules import one another, and mypy cannot tell their panels here.
    return window.ensure_parts()


def _trainings(window: MainWindow) -> frozenset[str]:
    return frozenset(run.run_id for run in _parts(window).runs.trainings())


STEPS: tuple[Step, ...] = (
    Step(
        title="Paint a few strokes",
        text="Drag over some of what you look for. Then press {class_1} for background and drag "
        "beside it: a network learns from both. {undo} takes a stroke back.",
        workspace="annotate",
        target=lambda window: _parts(window).canvas,
        sides=(INSIDE,),
        signs=lambda window: (_session(window).history_changed,),
        mark=lambda window: len(_session(window).history),
        is_done=lambda before, now: bool(now >= before + STROKES),
    ),
    Step(
        title="Say what each image is for",
        text="Networks learn from training images, validation images pick the best moment, and "
        "test images stay unseen, to score honestly. Click one and press "
        f"{SPLIT_KEYS['train']}, {SPLIT_KEYS['validation']} or {SPLIT_KEYS['test']}. Images "
        "dropped on the window join the list.",
        workspace="annotate",
        target=lambda window: _parts(window).images,
        sides=(RIGHT, INSIDE),
        signs=lambda window: (_session(window).images_changed,),
        mark=_splits,
    ),
    Step(
        title="Train",
        text="The recipe at the top suits the project; everything in it may stay as it is. Press "
        "Train. It runs in the background: paint on, or close the window.",
        workspace="train",
        target=lambda window: _parts(window).training.button,
        sides=(LEFT, ABOVE, INSIDE),
        signs=lambda window: (_parts(window).runs.runs_changed,),
        mark=_trainings,
    ),
    Step(
        title="Look at Compare",
        text="When a training has ended, a row with its scores on the test images stands here, "
        "and its masks beside yours below. Until then the strip at the foot of the window says "
        "how far it is. Click a row to go on.",
        workspace="compare",
        target=lambda window: _parts(window).compare,
        sides=(INSIDE,),
        signs=lambda window: (_parts(window).results.table.clicked,),
        is_done=lambda before, now: True,
    ),
    Step(
        title="Export",
        text="Choose whether the masks you painted or those of a model are written, in which "
        "formats and where to. Press the button at the foot, or come back here later.",
        workspace="export",
        target=lambda window: _parts(window).export,
        sides=(LEFT, INSIDE),
        signs=lambda window: (
            _parts(window).export.export_masks_requested,
            _parts(window).export.export_objects_requested,
            _parts(window).export.predict_folder_requested,
        ),
        is_done=lambda before, now: True,
    ),
)
