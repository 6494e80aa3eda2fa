"""What the person has chosen about painting and about showing; panels and canvas share them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from PySide6.QtCore import QObject, Signal

from orgseg_app.gui.canvas.tool_settings import TOOL_SETTINGS, Value
from orgseg_app.gui.canvas.tools.registry import TOOLS


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
    """How image and mask are shown; nothing here changes data.

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
    opacity
        Of the filled mask, 0…1.

    Signals
    -------
    changed()
    """

    changed = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.levels: tuple[tuple[float, float], ...] = ()
        self.auto_levels: tuple[tuple[float, float], ...] = ((0.0, 255.0),)
        self.value_range: tuple[float, float] = (0.0, 255.0)
        self.channel_names: tuple[str, ...] = ()
        self.channels: tuple[bool, ...] = ()
        self.gamma = 1.0
        self.opacity = 0.4
        self.outline = True
        self.fill = True
        self.show_unlabelled = False
        self.overlay_visible = True

    def set_image(
        self,
        channel_names: Sequence[str],
        auto_levels: Sequence[tuple[float, float]],
        value_range: tuple[float, float],
    ) -> None:
        """Another image is on the canvas: contrast starts automatic."""
        self.channel_names = tuple(channel_names)
        self.channels = (True,) * len(self.channel_names)
        self.auto_levels = tuple(auto_levels)
        self.value_range = value_range
        self.levels = ()
        self.changed.emit()

    def set_levels(self, channel: int, low: float, high: float) -> None:
        """Contrast of one channel, in the image's own values."""
        levels = list(self.levels or self.auto_levels)
        levels[channel] = (float(low), float(max(high, low)))
        self.levels = tuple(levels)
        self.changed.emit()

    def reset_levels(self) -> None:
        """Back to automatic contrast."""
        self.levels = ()
        self.changed.emit()

    def shown_levels(self) -> tuple[tuple[float, float], ...]:
        """The contrast in force."""
        return self.levels or self.auto_levels

    def set_channel_visible(self, channel: int, visible: bool) -> None:
        """Show or hide one channel."""
        channels = list(self.channels)
        channels[channel] = visible
        self.channels = tuple(channels)
        self.changed.emit()

    def update(self, **values: object) -> None:
        """Set gamma, opacity, outline, fill, show_unlabelled or overlay_visible.

        Raises
        ------
        AttributeError
            For a name that is not one of these.
        """
        for name, value in values.items():
            if name not in (
                "gamma",
                "opacity",
                "outline",
                "fill",
                "show_unlabelled",
                "overlay_visible",
            ):
                raise AttributeError(name)
            setattr(self, name, value)
        self.changed.emit()
