"""The keys in force: those of the menu table, of the preset, and the person's own on top.

`Shortcuts` puts them on the actions, so that menus, tool strip, palette, tooltips and the sheet
show them at once, and keeps the person's own in the app's settings.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QWidget

from orgseg_app import settings as settings_module
from orgseg_app.gui.actions import ACTIONS, BY_ID
from orgseg_app.gui.keys.shortcut_presets import PRESETS, SLICE, Preset
from orgseg_app.gui.style.widgets import IconButton, plain_tip

PORTABLE = QKeySequence.SequenceFormat.PortableText
NATIVE = QKeySequence.SequenceFormat.NativeText

REFUSED = {
    "Esc": "Esc always steps back.",
    "Return": "Enter puts the pen down and lifts it.",
    "Enter": "Enter puts the pen down and lifts it.",
    "Space": "Space holds the picture while you drag.",
    "Tab": "Tab leads to the next field, and hides the mask while it is held.",
    "Shift+Tab": "Shift+Tab leads to the field before.",
    "Backtab": "Shift+Tab leads to the field before.",
}
"""Keys that no action may take, and why."""

LOST = {
    "H": "H would no longer hide the mask while it is held (Tab still does).",
    **dict.fromkeys(
        ("Left", "Right", "Up", "Down"),
        "This arrow would no longer move the painting cursor; with Alt it still does.",
    ),
}
"""What the canvas itself does with a key; an action that takes it comes first."""

SIZE_HINT = "[ ] or Ctrl+wheel"
"""How the hints of the tools say what changes the size of the brush."""


def to_text(keys: Sequence[str]) -> str:
    """Keys as the settings hold them.

    >>> to_text(["Ctrl+Shift+Z", "Ctrl+Y"])
    'Ctrl+Shift+Z; Ctrl+Y'
    """
    return QKeySequence.listToString([QKeySequence(key) for key in keys], PORTABLE)


def from_text(text: str) -> tuple[str, ...]:
    """Keys of the settings in Qt's portable form; what is no key is left out.

    >>> from_text("ctrl+y; Nonsense++; ;")
    ('Ctrl+Y', ';')
    """
    found = (k.toString(PORTABLE) for k in QKeySequence.listFromString(text, PORTABLE))
    return tuple(dict.fromkeys(key for key in found if key))


def native(key: str) -> str:
    """A key as this system writes it."""
    return QKeySequence(key, PORTABLE).toString(NATIVE)


def title_of(action: QAction) -> str:
    """What an action is called in lists of keys: undo does not say there what it would undo."""
    info = BY_ID[action.objectName()]
    return action.text() if info.action_id.startswith("class_") else info.text


def keys_in_force(*layers: Mapping[str, Sequence[str]]) -> dict[str, tuple[str, ...]]:
    """The keys of every action of the first layer, so that no key belongs to two actions.

    Parameters
    ----------
    layers
        Keys by action id. A later layer replaces what an earlier one says of an action, and an
        action that has a key from a later layer keeps it; within a layer, the first one does.

    >>> keys_in_force({"pan": ["M"], "new": ["N"]}, {"new": ["M"]})
    {'pan': (), 'new': ('M',)}
    """
    wanted = {action_id: (0, tuple(keys)) for action_id, keys in layers[0].items()}
    for depth, layer in enumerate(layers[1:], 1):
        for action_id, keys in layer.items():
            if action_id in wanted:
                wanted[action_id] = (depth, tuple(keys))
    owner: dict[str, str] = {}
    for action_id in sorted(wanted, key=lambda a: -wanted[a][0]):  # stable: table order
        for key in wanted[action_id][1]:
            owner.setdefault(key, action_id)
    return {
        action_id: tuple(dict.fromkeys(key for key in keys if owner[key] == action_id))
        for action_id, (_, keys) in wanted.items()
    }


class Shortcuts(QObject):
    """Which keys do what; puts them on the actions and keeps them in the settings.

    Signals
    -------
    changed()
        A key, the preset or the wheel.
    """

    changed = Signal()

    def __init__(
        self,
        actions: Mapping[str, QAction],
        settings: settings_module.Settings,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._actions = actions
        self._settings = settings
        self._tips: list[tuple[QWidget, str, tuple[str, ...]]] = []
        self._keys: dict[str, tuple[str, ...]] = {}
        self._apply()

    # -- what is in force ------------------------------------------------------------------------

    @property
    def preset(self) -> Preset:
        """The habits chosen."""
        return PRESETS[self._settings.keys_preset]

    @property
    def wheel(self) -> str:
        """What the wheel does over the picture: "zoom" or "slice"."""
        return self._settings.wheel or self.preset.wheel

    def keys(self, action_id: str) -> tuple[str, ...]:
        """The keys of an action, in Qt's portable form."""
        return self._keys[action_id]

    def native_keys(self, action_id: str) -> str:
        """The keys of an action as this system writes them, for people."""
        return ", ".join(native(key) for key in self._keys[action_id])

    def usual_keys(self, action_id: str) -> tuple[str, ...]:
        """The keys of an action when the person changes nothing."""
        return self._usual()[action_id]

    def is_own(self, action_id: str) -> bool:
        """True when the keys of this action differ from the usual ones."""
        return self._keys[action_id] != self.usual_keys(action_id)

    def owner(self, key: str) -> str:
        """The action that a key belongs to; "" for none."""
        return next((a for a, keys in self._keys.items() if key in keys), "")

    def size_words(self) -> str:
        """What makes the brush smaller and larger."""
        keys = [native(key) for a in ("brush_smaller", "brush_larger") for key in self.keys(a)[:1]]
        turned = "Ctrl+Shift+wheel" if self.wheel == SLICE else "Ctrl+wheel"
        return " or ".join(filter(None, (" ".join(keys), turned)))

    def hint(self, text: str) -> str:
        """A tool's hint with the keys in force."""
        return text.replace(SIZE_HINT, self.size_words()).replace(
            "wheel to zoom", "Ctrl+wheel to zoom" if self.wheel == SLICE else "wheel to zoom"
        )

    def refusal(self, key: str) -> str:
        """Why no action may have a key; "" when one may."""
        return REFUSED.get(key, "")

    # -- changing --------------------------------------------------------------------------------

    def set_keys(self, action_id: str, keys: Sequence[str]) -> None:
        """Give an action other keys; whoever had one of them goes without it.

        Raises
        ------
        ValueError
            For a key that no action may have, with the reason.
        """
        keys = from_text(to_text(keys))
        for key in keys:
            if self.refusal(key):
                raise ValueError(self.refusal(key))
        own = dict(self._settings.shortcuts)
        self._free(own, keys, action_id)
        own[action_id] = to_text(keys)
        self._store(own)

    def reset(self, action_id: str) -> None:
        """The usual keys again, also where another action has got them since."""
        own = dict(self._settings.shortcuts)
        own.pop(action_id, None)
        self._free(own, self.usual_keys(action_id), action_id)
        self._store(own)

    def reset_all(self) -> None:
        """The keys and the wheel of the preset; what a newer version knows stays."""
        self._settings.wheel = ""
        self._store({a: text for a, text in self._settings.shortcuts.items() if a not in BY_ID})

    def set_preset(self, name: str) -> None:
        """Take up the habits of a program; the person's own keys stay. Raises KeyError."""
        self._settings.keys_preset = PRESETS[name].name
        self._settings.wheel = ""
        self._store(self._settings.shortcuts)

    def set_wheel(self, wheel: str) -> None:
        """What the wheel does over the picture: "zoom" or "slice"."""
        self._settings.wheel = "" if wheel == self.preset.wheel else wheel
        self._store(self._settings.shortcuts)

    # -- words elsewhere -------------------------------------------------------------------------

    def describe(self, widget: QWidget, tip: str, *action_ids: str) -> None:
        """Let a widget's tooltip end in the keys of actions, now and when they change."""
        self._tips.append((widget, tip, action_ids))
        self._show_tip(widget, tip, action_ids)

    def _show_tip(self, widget: QWidget, tip: str, action_ids: tuple[str, ...]) -> None:
        keys = [native(self._keys[a][0]) for a in action_ids if self._keys[a]]
        if "brush_smaller" in action_ids:
            keys = [self.size_words()]
        if isinstance(widget, IconButton) and not tip:
            widget.set_shortcut(keys[0] if keys else "")
        else:
            widget.setToolTip(plain_tip(f"{tip} ({' '.join(keys)})" if keys else tip))

    # -- inside ----------------------------------------------------------------------------------

    def _usual(self) -> dict[str, tuple[str, ...]]:
        return keys_in_force({info.action_id: info.keys for info in ACTIONS}, self.preset.keys)

    def _free(self, own: dict[str, str], keys: Sequence[str], keeper: str) -> None:
        """Take keys away from actions that the person gave them to."""
        for action_id, text in list(own.items()):
            had = from_text(text)
            rest = [key for key in had if key not in keys]
            if action_id != keeper and len(rest) < len(had):
                own[action_id] = to_text(rest)

    def _store(self, own: dict[str, str]) -> None:
        """Keep what differs from the usual keys, put all on the actions, write the settings."""
        layers = _usable(own)
        usual = self._usual()
        for action_id, keys in list(layers.items()):
            others = {a: k for a, k in layers.items() if a != action_id}
            if keys_in_force(usual, others)[action_id] == usual[action_id] == keys:
                own = {a: text for a, text in own.items() if a != action_id}
                del layers[action_id]
        self._settings.shortcuts = dict(own)
        settings_module.save(self._settings)
        self._apply()

    def _apply(self) -> None:
        self._keys = keys_in_force(
            {info.action_id: info.keys for info in ACTIONS},
            self.preset.keys,
            _usable(self._settings.shortcuts),
        )
        for action_id, action in self._actions.items():
            keys, tip = self._keys[action_id], BY_ID[action_id].tip
            action.setShortcuts([QKeySequence(key, PORTABLE) for key in keys])
            action.setToolTip(f"{tip} ({native(keys[0])})" if keys else tip)
        for widget, tip, action_ids in self._tips:
            self._show_tip(widget, tip, action_ids)
        self.changed.emit()


def _usable(own: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """Keys by action; what a damaged settings file says about an action counts for nothing."""
    found = {}
    for action_id, text in own.items():
        keys = tuple(key for key in from_text(text) if key not in REFUSED)
        if action_id in BY_ID and (keys or not text):
            found[action_id] = keys
    return found
