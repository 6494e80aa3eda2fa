"""Where the work went on: image, plane, zoom, tool, class and display of each project.

Kept in the app's own data, one small file a project, so that looking at a project never changes
it. Written in the background at most every few seconds, so that a crash forgets little, and when
the project is closed. A file that is damaged or gone means the usual beginning.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, QTimer

from orgseg_app import paths
from orgseg_app.core.instances.grouping import GroupingParameters
from orgseg_app.gui.background import Background
from orgseg_app.gui.canvas.layers import PREDICTION_FORMS
from orgseg_app.gui.canvas.options import PANE_SHOWS, DisplayOptions
from orgseg_app.gui.canvas.plane_view import ViewState

if TYPE_CHECKING:
    from orgseg_app.gui.main_window import MainWindow

LOG = logging.getLogger(__name__)

WRITE_AFTER_MS = 3000
KEPT = 200
"""Projects remembered; those looked at longest ago are forgotten."""

_LARGEST_BYTES = 4 << 20
_LARGEST_VALUE = 3.4e38  # of the voxels' kinds; also refuses what is no number
_VIEWS_KEPT = 2000
_CHOICES = {"prediction_form": PREDICTION_FORMS, "pane_shows": PANE_SHOWS}
_OF_THE_IMAGE = frozenset(
    [
        "auto_levels",
        "value_range",
        "channel_names",
        "levels",
        "channels",
        "gamma",
        "colours",
        "image_id",
        "is_rgb",
    ]
)


@dataclass
class Place:
    """What is remembered of one project.

    Attributes
    ----------
    image_id, z, class_id
        What was looked at, and the class in the hand; "" and 0 for none.
    views
        ``[y, x, zoom]`` by image, for those that were not fitted.
    tool, tool_settings
        The tool in the hand, and how the tools are set.
    display
        Attributes of `DisplayOptions` that hold for all images.
    layers
        How each kind of layer looks; see `DisplayOptions.layer_looks`.
    looks
        Contrast, colours and shown channels by image; see `DisplayOptions.looks`.
    crosshairs
        ``[y, x]`` of the sections by image, or by time series.
    objects_mode, each_stroke
        Whether objects were painted, and a new one with every stroke.
    object_table
        Whether the table of objects was shown.
    grouping
        How objects are made; see `core.instances.grouping.GroupingParameters`.
    """

    image_id: str = ""
    z: int = 0
    class_id: int = 0
    views: dict[str, list[float]] = field(default_factory=dict)
    tool: str = ""
    tool_settings: dict[str, Any] = field(default_factory=dict)
    display: dict[str, Any] = field(default_factory=dict)
    layers: dict[str, Any] = field(default_factory=dict)
    looks: dict[str, Any] = field(default_factory=dict)
    objects_mode: bool = False
    each_stroke: bool = False
    crosshairs: dict[str, list[int]] = field(default_factory=dict)
    object_table: bool = False
    grouping: dict[str, Any] = field(default_factory=dict)


def place_path(uuid: str) -> Path:
    """The file for a project; its uuid is a stranger's text, and never part of a path."""
    name = hashlib.sha256(uuid.encode("utf-8", "surrogatepass")).hexdigest()[:32]
    return paths.data_dir() / "places" / f"{name}.json"


def read_place(uuid: str) -> Place:
    """What is remembered of a project; what is not usable of it is left out."""
    path = place_path(uuid)
    try:
        if path.stat().st_size > _LARGEST_BYTES:
            return Place()
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return Place()
    except (OSError, ValueError, RecursionError) as error:
        LOG.warning("What was looked at last could not be read from %s: %s", path, error)
        return Place()
    return _usable(content) if isinstance(content, dict) else Place()


def write_place(uuid: str, place: Place) -> None:
    """Put it on the disk, whole or not at all; a disk that refuses is only logged."""
    from orgseg_app.files import atomic

    path = place_path(uuid)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        is_new = not path.exists()
        with atomic.replacing(path) as draft:
            draft.write_text(json.dumps(vars(place)), encoding="utf-8")
        if is_new:
            _forget_oldest(path.parent)
    except (OSError, ValueError) as error:
        LOG.warning("What is looked at was not remembered in %s: %s", path, error)


class Viewing(QObject):
    """Brings a project back as it was left, and remembers how it is left.

    Parameters
    ----------
    window
        Its session, tools, display and canvas.
    """

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self._window, self._session = window, window.session
        self._background = Background(self)
        self._timer = QTimer(self, singleShot=True, interval=WRITE_AFTER_MS)
        self._timer.timeout.connect(self._write)
        self._uuid = ""
        self._written: dict[str, Any] = {}
        self._is_following_canvas = False
        session = self._session
        session.project_changed.connect(self._on_project_changed)
        session.closing.connect(self._on_closing)
        objects = session.objects
        for signal in (window.tools.changed, window.display.changed, objects.changed):
            signal.connect(self._note)
        objects.review.shown_changed.connect(self._note)
        for one in (session.image_selected, session.plane_selected, session.class_selected):
            one.connect(self._note)

    # -- as it was -------------------------------------------------------------------------------

    def _on_project_changed(self) -> None:
        project = self._session.project
        if project is None:
            self._uuid = ""
            return
        if project.uuid == self._uuid:  # it got another name
            return
        self._uuid = project.uuid
        place = read_place(project.uuid)
        self._written = vars(place).copy()
        canvas = self._window.ensure_parts().canvas
        if not self._is_following_canvas:
            self._is_following_canvas = True
            canvas.view_changed.connect(self._note)
            self._window.ensure_parts().object_maker.parameters_changed.connect(self._note)
        views = {}
        for image_id, (y, x, zoom) in place.views.items():
            if image_id in project.images:
                _, _, height, width = project.images[image_id].shape
                views[image_id] = ViewState(min(max(y, 0), height), min(max(x, 0), width), zoom)
        canvas.remember_views(views)
        canvas.crosshair.remember_places({i: (y, x) for i, (y, x) in place.crosshairs.items()})
        image = project.images.get(place.image_id)
        if image is not None:
            self._session.begin_at = place.image_id, min(place.z, image.shape[1] - 1)
        if project.class_of(place.class_id) is not None:
            self._session.select_class(place.class_id)
        self._take_up_tools(place)
        self._session.objects.set(is_on=place.objects_mode, each_stroke=place.each_stroke)
        self._session.objects.review.show(place.object_table)
        maker = self._window.ensure_parts().object_maker
        with contextlib.suppress(ValueError):  # of another version
            maker.set_value(GroupingParameters.from_dict(place.grouping))
        self._window.display.remember_layer_looks(place.layers)
        restore_display(self._window.display, place.display)
        known_looks = {i: look for i, look in place.looks.items() if i in project.images}
        self._window.display.remember_looks(known_looks)

    def _take_up_tools(self, place: Place) -> None:
        tools = self._window.tools
        for name, value in place.tool_settings.items():
            with contextlib.suppress(KeyError, ValueError, TypeError):  # of another version
                tools.set_value(name, value)
        with contextlib.suppress(ValueError):
            if place.tool:
                tools.set_tool(place.tool)

    # -- remembering -----------------------------------------------------------------------------

    def _note(self, *_: object) -> None:
        if self._uuid and not self._timer.isActive():
            self._timer.start()

    def _on_closing(self) -> None:
        self._write()
        self._timer.stop()
        self._background.wait()
        self._uuid = ""

    def _write(self) -> None:
        """Hand what is looked at to the thread that writes, when it differs."""
        if not self._uuid or not self._session.image_id:
            return
        place = self._now()
        if vars(place) != self._written:
            self._written = vars(place).copy()
            uuid = self._uuid
            self._background.start("Remembering the place", lambda _: write_place(uuid, place))

    def _now(self) -> Place:
        window, session = self._window, self._session
        canvas = window.ensure_parts().canvas
        known = session.project.images if session.project else {}
        views = [(i, view) for i, view in canvas.views().items() if i in known]
        return Place(
            session.image_id,
            session.z,
            session.class_id,
            {i: [view.y, view.x, view.zoom] for i, view in views[-_VIEWS_KEPT:]},
            window.tools.tool,
            window.tools.values(),
            display_state(window.display),
            window.display.layer_looks(),
            {i: look for i, look in window.display.looks().items() if i in known},
            session.objects.is_on,
            session.objects.each_stroke,
            {i: list(at) for i, at in list(canvas.crosshair.places().items())[-_VIEWS_KEPT:]},
            session.objects.review.is_shown,
            window.ensure_parts().object_maker.value().to_dict(),
        )


def display_state(display: DisplayOptions) -> dict[str, Any]:
    """Switches, numbers and names of the display that hold for all images."""
    return {
        name: value
        for name, value in vars(display).items()
        if isinstance(value, bool | int | float | str)
        and not name.startswith("_")
        and name not in _OF_THE_IMAGE
    }


def restore_display(display: DisplayOptions, state: dict[str, Any]) -> None:
    """Set what the display still knows, where the kind of value is right."""
    for name, value in display_state(display).items():
        wanted = state.get(name)
        if type(wanted) is type(value) and wanted in _CHOICES.get(name, (wanted,)):
            setattr(display, name, wanted)
    display.changed.emit()


def _usable(content: dict[str, Any]) -> Place:
    """What of a file's object is of the right kind; anybody may have written into it."""
    place = Place()
    for name in ("image_id", "tool"):
        if isinstance(content.get(name), str):
            setattr(place, name, content[name])
    for name in ("z", "class_id"):
        value = content.get(name)
        if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
            setattr(place, name, value)
    for name in ("objects_mode", "each_stroke", "object_table"):
        setattr(place, name, content.get(name) is True)
    for name in ("tool_settings", "display", "grouping"):
        if isinstance(content.get(name), dict):
            values = content[name].items()
            setattr(place, name, {key: v for key, v in values if _is_plain(v)})
    views = content.get("views")
    if isinstance(views, dict):
        place.views = {i: v for i, v in views.items() if _is_numbers(v, 3) and v[2] > 0}
    crosshairs = content.get("crosshairs")
    if isinstance(crosshairs, dict):
        place.crosshairs = {
            i: [int(v[0]), int(v[1])]
            for i, v in crosshairs.items()
            if _is_numbers(v, 2) and min(v) >= 0
        }
    for name in ("layers", "looks"):
        if isinstance(content.get(name), dict):
            setattr(place, name, content[name])
    return place


def _is_plain(value: Any) -> bool:
    is_number = isinstance(value, bool | int | float)
    return abs(value) < _LARGEST_VALUE if is_number else isinstance(value, str)


def _is_numbers(value: Any, count: int) -> bool:
    return (
        isinstance(value, list)
        and len(value) == count
        and all(isinstance(v, int | float) and _is_plain(v) for v in value)
    )


def _forget_oldest(folder: Path) -> None:
    """Keep the newest `KEPT` files."""
    with os.scandir(folder) as entries:
        found = [entry for entry in entries if entry.name.endswith(".json")]
    found.sort(key=lambda entry: entry.stat().st_mtime, reverse=True)
    for entry in found[KEPT:]:
        with contextlib.suppress(OSError):
            os.unlink(entry.path)
