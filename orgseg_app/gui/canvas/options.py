"""What the person has chosen about painting and about showing; panels and canvas share them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from PySide6.QtCore import QObject, Signal

from orgseg_app.gui.canvas import colour_maps
from orgseg_app.gui.canvas.layers import DEFAULT_LOOKS, DIFFERENCE, PREDICTION_FORMS, LayerLook
from orgseg_app.gui.canvas.tool_settings import TOOL_SETTINGS, Value
from orgseg_app.gui.canvas.tools.registry import TOOLS

GAMMA = (0.2, 5.0)
"""Least and largest gamma."""

PANE_SHOWS = (
    "image",
    "prepared",
    "painted",
    "painted objects",
    "weights",
    *PREDICTION_FORMS,
    DIFFERENCE,
)
"""What the pane beside the canvas can show; mask and objects of a model are `PREDICTION_FORMS`."""

_LARGEST = 3.4e38


class ToolOptions(QObject):
    """Which tool is in the hand, and how the tools are set.

    Attributes
    ----------
    tool
        Name of the tool in the hand, one of `tools.registry.TOOLS`.

    Signals
    -------
    changed()
    """

    changed = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.tool = "brush"
        self._values: dict[str, Value] = {s.name: s.default for s in TOOL_SETTINGS.values()}

    def set_tool(self, tool: str) -> None:
        """Take a tool in the hand."""
        if tool not in TOOLS:
            raise ValueError(f"There is no tool {tool!r}.")
        if tool != self.tool:
            self.tool = tool
            self.changed.emit()

    def value(self, name: str) -> Any:
        """A setting by its name in `tool_settings.TOOL_SETTINGS`."""
        return self._values[name]

    def values(self) -> dict[str, Value]:
        """All settings by name."""
        return dict(self._values)

    def set_value(self, name: str, value: Value) -> None:
        """Set it; numbers are clamped to what is possible."""
        value = TOOL_SETTINGS[name].clean(value)
        if self._values[name] != value:
            self._values[name] = value
            self.changed.emit()

    @property
    def brush_size(self) -> int:
        """Diameter in voxels."""
        return int(self._values["brush_size"])

    @property
    def square(self) -> bool:
        """Square footprint instead of a round one."""
        return self._values["footprint"] == "square"

    @property
    def protect(self) -> bool:
        """Paint only over unlabelled voxels."""
        return bool(self._values["protect"])

    def set_brush_size(self, size: int) -> None:
        """Diameter in voxels, clamped to what the brush can do."""
        self.set_value("brush_size", size)

    def grow_brush(self, steps: int) -> None:
        """About a tenth larger or smaller a step, at least one voxel."""
        size = self.brush_size
        for _ in range(abs(steps)):
            size += max(1, size // 10) if steps > 0 else -max(1, size // 11)
        self.set_brush_size(size)

    def set_square(self, square: bool) -> None:
        """Square footprint instead of a round one."""
        self.set_value("footprint", "square" if square else "round")

    def set_protect(self, protect: bool) -> None:
        """Paint only over unlabelled voxels."""
        self.set_value("protect", protect)


class DisplayOptions(QObject):
    """How image and layers are shown; nothing here changes data.

    Attributes
    ----------
    levels
        ``(low, high)`` of each channel in the image's own values; empty means automatic.
    auto_levels
        What automatic chose for the image on the canvas.
    value_range
        Smallest and largest value the contrast slider offers.
    gamma
        1 is linear; above 1 brightens dark structures.
    channels
        Which channels are shown; empty means all.
    colours
        Of each channel, a name of `colour_maps.NAMES`; "" or too few: the usual.
    image_id, is_rgb
        Which image this is about, and whether it is a picture in its own colours.
    show_unlabelled
        Whether what nobody has painted is hatched.
    sections
        Whether volumes are shown with their sections XZ and YZ.
    section_width, section_height
        What the sections take of the canvas's width and height, 0…1.
    side_by_side, pane_shows, pane_run
        Whether there is a pane beside the canvas, what it shows (one of `PANE_SHOWS`), and of
        which model ("" for the best).
    prediction_run, prediction_form, prediction_class
        Which model's prediction is looked at ("" for the best), what of it (one of
        `layers.PREDICTION_FORMS`), and the class of probabilities (0 for the one in the hand).

    Signals
    -------
    changed()
    auto_wanted()
        Who knows the plane looked at is to say `set_auto`.
    """

    changed = Signal()
    auto_wanted = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.levels: tuple[tuple[float, float], ...] = ()
        self.auto_levels: tuple[tuple[float, float], ...] = ((0.0, 255.0),)
        self.value_range: tuple[float, float] = (0.0, 255.0)
        self.channel_names: tuple[str, ...] = ()
        self.channels: tuple[bool, ...] = ()
        self.colours: tuple[str, ...] = ()
        self.image_id = ""
        self.is_rgb = False
        self._looks: dict[str, dict[str, Any]] = {}
        self.gamma = 1.0
        self.show_unlabelled = False
        self.sections = False
        self.section_width = self.section_height = 0.28
        self.side_by_side = False
        self.pane_shows = PANE_SHOWS[0]
        self.pane_run = ""
        self.prediction_run = ""
        self.prediction_form = PREDICTION_FORMS[0]
        self.prediction_class = 0
        self._layer_looks = dict(DEFAULT_LOOKS)
        self._hidden_together: tuple[str, ...] = ()

    # -- layers ----------------------------------------------------------------------------------

    def look(self, kind: str) -> LayerLook:
        """How a kind of layer is to look, one of `layers.KINDS`."""
        return self._layer_looks[kind]

    def set_look(self, kind: str, **values: Any) -> None:
        """Change some of visible, opacity, outline and fill of a layer."""
        look = self._layer_looks[kind].changed(values)
        if look != self._layer_looks[kind]:
            self._layer_looks[kind] = look
            self.changed.emit()

    def choose_prediction(
        self, *, run_id: str | None = None, form: str | None = None, class_id: int | None = None
    ) -> None:
        """Look at another model's prediction, at something else of it, or at another class."""
        if form is not None and form not in PREDICTION_FORMS:
            raise ValueError(f"A prediction has no {form!r}.")
        self.prediction_run = self.prediction_run if run_id is None else run_id
        self.prediction_form = self.prediction_form if form is None else form
        self.prediction_class = self.prediction_class if class_id is None else class_id
        self.changed.emit()

    def set_pane(
        self,
        *,
        side_by_side: bool | None = None,
        shows: str | None = None,
        run_id: str | None = None,
    ) -> None:
        """Show or hide the pane beside the canvas, or look at something else in it."""
        if shows is not None and shows not in PANE_SHOWS:
            raise ValueError(f"A pane cannot show {shows!r}.")
        self.side_by_side = self.side_by_side if side_by_side is None else side_by_side
        self.pane_shows = self.pane_shows if shows is None else shows
        self.pane_run = self.pane_run if run_id is None else run_id
        self.changed.emit()

    def flip(self, kind: str, name: str) -> None:
        """Change visible, outline or fill of a layer to what it is not."""
        self.set_look(kind, **{name: not getattr(self.look(kind), name)})

    def flip_together(self, kinds: Sequence[str]) -> None:
        """Hide these layers; where none of them is shown, show those that were hidden so last."""
        shown = tuple(kind for kind in kinds if self.look(kind).visible)
        wanted = shown or self._hidden_together or tuple(kinds)
        if not shown and not set(wanted) & set(kinds):
            wanted += tuple(kinds)
        self._hidden_together = shown
        for kind in wanted:
            self.set_look(kind, visible=not shown)

    def layer_looks(self) -> dict[str, dict[str, Any]]:
        """How all layers are to look, in JSON's kinds of values."""
        return {kind: asdict(look) for kind, look in self._layer_looks.items()}

    def remember_layer_looks(self, looks: Mapping[str, Any]) -> None:
        """Show layers like this from now on; what makes no sense is as it is at first."""
        for kind, usual in DEFAULT_LOOKS.items():
            known = looks.get(kind)
            self._layer_looks[kind] = usual.changed(known) if isinstance(known, dict) else usual
        self.changed.emit()

    # -- the image -------------------------------------------------------------------------------

    def set_image(
        self,
        channel_names: Sequence[str],
        auto_levels: Sequence[tuple[float, float]],
        value_range: tuple[float, float],
        image_id: str = "",
        is_rgb: bool = False,
    ) -> None:
        """Another image is on the canvas: shown as it was last, or automatically."""
        self._keep_look()
        self.image_id, self.is_rgb = image_id, is_rgb
        self.channel_names = tuple(channel_names)
        self.auto_levels = tuple(auto_levels)
        self.value_range = value_range
        self._take_look(self._looks.get(image_id, {}) if image_id else {})
        self.changed.emit()

    def stay(self, image_id: str) -> None:
        """Another image is on the canvas, and shown as the one before, as moments of a series."""
        self._keep_look()
        self.image_id = image_id

    def looks(self) -> dict[str, dict[str, Any]]:
        """How each image is shown, where somebody has chosen so, in JSON's kinds of values."""
        self._keep_look()
        return {image_id: dict(look) for image_id, look in self._looks.items()}

    def remember_looks(self, looks: dict[str, Any]) -> None:
        """Show images like this from now on; what makes no sense is left out when it is used."""
        self._looks = {i: dict(look) for i, look in looks.items() if isinstance(look, dict)}
        self._take_look(self._looks.get(self.image_id, {}) if self.image_id else {})
        self.changed.emit()

    def _keep_look(self) -> None:
        if not self.image_id:
            return
        look: dict[str, Any] = {}
        if self.levels:
            look["levels"] = [list(pair) for pair in self.levels]
        if not all(self.channels):
            look["channels"] = list(self.channels)
        if any(self.colours):
            look["colours"] = list(self.colours)
        if self.gamma != 1.0:
            look["gamma"] = self.gamma
        self._looks.pop(self.image_id, None)
        if look:
            self._looks[self.image_id] = look

    def _take_look(self, look: dict[str, Any]) -> None:
        """Set what belongs to an image; anybody may have written where this comes from."""
        count = len(self.channel_names)
        levels, channels = look.get("levels"), look.get("channels")
        colours, gamma = look.get("colours"), look.get("gamma")
        self.levels = ()
        if isinstance(levels, list) and len(levels) == len(self.auto_levels):
            pairs = [_pair(value) for value in levels]
            self.levels = tuple(pair for pair in pairs if pair is not None)
            if len(self.levels) != len(levels):
                self.levels = ()
        self.channels = (True,) * count
        if isinstance(channels, list) and len(channels) == count and any(channels):
            self.channels = tuple(value is not False for value in channels)
        self.colours = ()
        if isinstance(colours, list) and len(colours) == count:
            self.colours = tuple(c if c in colour_maps.NAMES else "" for c in colours)
        number = _number(gamma)
        self.gamma = 1.0 if number is None else min(max(number, GAMMA[0]), GAMMA[1])

    def set_levels(self, channel: int, low: float, high: float) -> None:
        """Contrast of one channel, in the image's own values."""
        levels = list(self.levels or self.auto_levels)
        levels[channel] = (float(low), float(max(high, low)))
        self.levels = tuple(levels)
        self.changed.emit()

    def reset_levels(self) -> None:
        """Back to automatic contrast, of the plane looked at."""
        self.auto_wanted.emit()
        self.levels = ()
        self.changed.emit()

    def set_auto(
        self, auto_levels: Sequence[tuple[float, float]], value_range: tuple[float, float]
    ) -> None:
        """What automatic contrast would be, and what there is."""
        if len(auto_levels) == len(self.auto_levels):
            self.auto_levels = tuple(auto_levels)
            low, high = value_range
            self.value_range = min(low, self.value_range[0]), max(high, self.value_range[1])

    def set_colour(self, channel: int, name: str) -> None:
        """Show a channel through one of `colour_maps.NAMES`; "" for the usual."""
        if name and name not in colour_maps.NAMES:
            raise ValueError(f"There is no colour map {name!r}.")
        colours = list(self.colours) or [""] * len(self.channel_names)
        colours[channel] = name
        self.colours = tuple(colours)
        self.changed.emit()

    def colour(self, channel: int) -> str:
        """The colour map of a channel."""
        chosen = self.colours[channel] if channel < len(self.colours) else ""
        return chosen or colour_maps.default_map(channel, len(self.channel_names))

    def shown_levels(self) -> tuple[tuple[float, float], ...]:
        """The contrast in force."""
        return self.levels or self.auto_levels

    def set_channel_visible(self, channel: int, visible: bool) -> None:
        """Show or hide one channel."""
        channels = list(self.channels)
        channels[channel] = visible
        self.channels = tuple(channels)
        self.changed.emit()

    def set_sections(self, sections: bool) -> None:
        """Show volumes with their sections, or without."""
        if sections != self.sections:
            self.sections = sections
            self.changed.emit()

    def update(self, *, gamma: float | None = None, show_unlabelled: bool | None = None) -> None:
        """Set gamma, or whether what is unlabelled is hatched."""
        if gamma is not None:
            self.gamma = gamma
        if show_unlabelled is not None:
            self.show_unlabelled = show_unlabelled
        self.changed.emit()


def _pair(value: Any) -> tuple[float, float] | None:
    """Two limits, if it is that."""
    if not isinstance(value, list) or len(value) != 2:
        return None
    low, high = _number(value[0]), _number(value[1])
    return None if low is None or high is None or low > high else (low, high)


def _number(value: Any) -> float | None:
    """A finite number that voxels may have, if it is that."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if abs(value) < _LARGEST else None  # false for NaN
