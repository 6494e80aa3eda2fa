"""What the app remembers between starts, in one JSON file. A bad file never stops the start.

Unknown keys are ignored and kept (a newer version may have written them), a bad value is dropped
with a warning while the others hold, an unreadable file is set aside, and writing replaces the
whole file at once. Two windows may be open: each writes only what it changed itself.
"""

from __future__ import annotations

import copy
import json
import logging
import os
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from orgseg_app import paths

THEMES = ("system", "light", "dark")
TEXT_SIZES = (100, 125, 150, 200)
WORKSPACES = ("annotate", "train", "compare", "export")
RECENT_PROJECTS_KEPT = 12
KEY_PRESETS = ("orgseg", "fiji", "napari")
WHEELS = ("", "zoom", "slice")
UNDO_BUDGET_MB = 1024
UNDO_BUDGET_RANGE_MB = (16, 1_048_576)

_logger = logging.getLogger(__name__)


@dataclass
class Settings:
    """The remembered values; every field has a default, so an empty file is a good file."""

    theme: str = "system"
    """Colours of the window: one of `THEMES`."""

    text_size: int = 100
    """How large text is, in per cent: one of `TEXT_SIZES`."""

    workspace: str = "annotate"
    """Workspace shown last: one of `WORKSPACES`."""

    recent_projects: list[str] = field(default_factory=list)
    """Paths of projects opened, newest first, at most `RECENT_PROJECTS_KEPT`."""

    last_folder: str = ""
    """Folder in which a file dialog was last confirmed; empty before the first."""

    shortcuts: dict[str, str] = field(default_factory=dict)
    """Menu entry's id to keys ("Ctrl+T; T", "" for none); only those the user changed."""

    keys_preset: str = "orgseg"
    """Whose keys the others are: one of `KEY_PRESETS`."""

    wheel: str = ""
    """What the wheel does over the picture: one of `WHEELS`, "" as in the preset."""

    window_state: dict[str, str] = field(default_factory=dict)
    """Geometry and panel positions by window, as the window encodes them (base64)."""

    remembered: dict[str, bool | int | float | str] = field(default_factory=dict)
    """Last used value of a control, by the control's id."""

    undo_budget_mb: int = UNDO_BUDGET_MB
    """What the undo history of a project may take on the disk, in MiB."""

    _on_disk: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)
    """The values when they were last read or written, to tell which ones changed since."""

    def add_recent_project(self, path: Path | str) -> None:
        """Put a project first in `recent_projects`, once."""
        text = os.path.abspath(path)
        others = [known for known in self.recent_projects if known != text]
        self.recent_projects = [text, *others][:RECENT_PROJECTS_KEPT]


def settings_path() -> Path:
    """Return the settings file's path."""
    return paths.config_dir() / "settings.json"


def load(path: Path | None = None) -> Settings:
    """Read the settings; whatever is wrong with the file becomes a default and a logged warning.

    Parameters
    ----------
    path
        The file; None means `settings_path`.
    """
    path = settings_path() if path is None else path
    settings = Settings()
    for key, value in _read(path).items():
        if key not in _USABLE:
            continue
        usable = _USABLE[key](value)
        if usable is None or usable != value:
            _logger.warning("The setting %s in %s is not usable; a part was left out.", key, path)
        if usable is not None:
            setattr(settings, key, usable)
    settings._on_disk = _values(settings)
    return settings


def save(settings: Settings, path: Path | None = None) -> bool:
    """Write what changed since `settings` was loaded; all else in the file stays as it is.

    Parameters
    ----------
    settings
        The values as they are now.
    path
        The file; None means `settings_path`.

    Returns
    -------
    bool
        False where the file cannot be written; the old one is then still there and a warning is
        logged.
    """
    path = settings_path() if path is None else path
    before = settings._on_disk or _values(Settings())
    now = _values(settings)
    changed = {key: value for key, value in now.items() if value != before[key]}
    if not changed:
        return True
    from orgseg_app.files import atomic

    try:
        text = json.dumps({**_read(path), **changed}, indent=2, ensure_ascii=False) + "\n"
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic.replacing(path) as draft:
            draft.write_text(text, encoding="utf-8")
    except (OSError, TypeError, ValueError) as error:
        _logger.warning("The settings were not saved to %s: %s", path, error)
        return False
    settings._on_disk = now
    return True


def reset(settings: Settings | None = None, path: Path | None = None) -> Path | None:
    """Set everything back to its default; the file is kept beside as ``*.before-reset``.

    More room for undo than usual stays: less would drop steps of projects that are open or will be.

    Parameters
    ----------
    settings
        The values of a window that is open: set back as well, in place.
    path
        The file; None means `settings_path`.

    Returns
    -------
    Path or None
        Where the old file lies now; None where there was none.

    Raises
    ------
    OSError
        When it cannot be moved; then nothing is changed.
    """
    path = settings_path() if path is None else path
    budgets = [one.undo_budget_mb for one in (load(path), settings) if one is not None]
    fresh = Settings(undo_budget_mb=max(UNDO_BUDGET_MB, *budgets))
    kept: Path | None = path.with_name(path.name + ".before-reset")
    try:
        os.replace(path, str(kept))
    except FileNotFoundError:
        kept = None
    save(fresh, path)
    for name, value in _values(fresh).items() if settings is not None else ():
        now = getattr(settings, name)
        if isinstance(now, dict | list):
            now.clear()  # others hold it, too
        else:
            setattr(settings, name, value)
    if settings is not None:
        settings._on_disk = _values(settings)
    return kept


def _read(path: Path) -> dict[str, Any]:
    """Return the file's top-level object; an unreadable file is set aside as ``*.unreadable``."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except OSError as error:
        _logger.warning("The settings in %s could not be read: %s", path, error)
        return {}
    except (ValueError, RecursionError):  # not UTF-8, not JSON, or nested without end
        content = None
    if isinstance(content, dict):
        return content
    aside = path.with_name(path.name + ".unreadable")
    try:
        os.replace(path, aside)
        _logger.warning("The settings in %s were not usable; they now lie in %s.", path, aside)
    except OSError:
        _logger.warning("The settings in %s were not usable.", path)
    return {}


def _values(settings: Settings) -> dict[str, Any]:
    """Return a copy of the remembered values by field."""
    return {
        known.name: copy.deepcopy(getattr(settings, known.name))
        for known in fields(settings)
        if known.name in _USABLE
    }


def _one_of(choices: tuple[str, ...]) -> Callable[[Any], str | None]:
    """Return a check that lets only `choices` through."""
    return lambda value: value if value in choices else None


def _percent(value: Any) -> int | None:
    """Return a size of text that can be chosen."""
    is_number = isinstance(value, int) and not isinstance(value, bool)
    return value if is_number and value in TEXT_SIZES else None


def _text(value: Any) -> str | None:
    """Return a text that may be a path (the null character is in none)."""
    return value if isinstance(value, str) and "\0" not in value else None


def _texts(value: Any) -> list[str] | None:
    """Return the texts of a list."""
    if not isinstance(value, list):
        return None
    return [text for text in value if _text(text) is not None][:RECENT_PROJECTS_KEPT]


def _whole(lowest: int, highest: int) -> Callable[[Any], int | None]:
    """Return a check that lets whole numbers of a range through."""

    def check(value: Any) -> int | None:
        is_number = isinstance(value, int) and not isinstance(value, bool)
        return value if is_number and lowest <= value <= highest else None

    return check


def _entries(*kinds: type) -> Callable[[Any], dict[str, Any] | None]:
    """Return a check that lets an object's entries of the given kinds through."""

    def check(value: Any) -> dict[str, Any] | None:
        if not isinstance(value, dict):
            return None
        return {key: plain for key, plain in value.items() if isinstance(plain, kinds)}

    return check


# What of a value read from disk is usable; None where nothing is.
_USABLE: dict[str, Callable[[Any], Any]] = {
    "theme": _one_of(THEMES),
    "text_size": _percent,
    "workspace": _one_of(WORKSPACES),
    "recent_projects": _texts,
    "last_folder": _text,
    "shortcuts": _entries(str),
    "keys_preset": _one_of(KEY_PRESETS),
    "wheel": _one_of(WHEELS),
    "window_state": _entries(str),
    "remembered": _entries(bool, int, float, str),
    "undo_budget_mb": _whole(*UNDO_BUDGET_RANGE_MB),
}
