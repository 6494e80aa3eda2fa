"""All settings as at the first start, at once, in the window that is open."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orgseg_app import settings as settings_module
from orgseg_app.files.atomic import reason
from orgseg_app.gui.comparing import measures

if TYPE_CHECKING:
    from orgseg_app.gui.main_window import MainWindow

USUAL_SIZE = (1280, 800)

QUESTION = "Reset all settings?"
WHAT_GOES = (
    "Colours, text size, keyboard shortcuts, the places of windows and panels, the list of recent "
    "projects, and notes that were closed for good are as at the first start. The old settings "
    "are kept in a file.\n\n"
    "Projects, images, masks and models stay as they are, and so does what can be undone."
)


def reset_settings(window: MainWindow) -> None:
    """Ask, then set everything back and show it."""
    if not window.commands.confirm(QUESTION, WHAT_GOES, "Reset"):
        return
    try:
        kept = settings_module.reset(window.settings)
    except OSError as error:
        window.session.message.emit(
            f"The settings could not be reset: {reason(error)}. They are as they were; see that "
            f"you may write in “{settings_module.settings_path().parent}”.",
            "error",
        )
        return
    _show(window)
    where = f" The old ones are kept in “{kept}”." if kept is not None else ""
    window.session.message.emit(f"All settings are as at the first start.{where}", "info")


def _show(window: MainWindow) -> None:
    """Everything that follows a setting follows it now."""
    window.shortcuts.set_preset(window.settings.keys_preset)
    window.set_theme(window.settings.theme)
    window.showNormal()
    window.resize(*USUAL_SIZE)
    frame = window.frameGeometry()
    frame.moveCenter(window.screen().availableGeometry().center())
    window.move(frame.topLeft())
    window.start_page.refresh()
    if window.parts is not None:
        window.parts.set_usual_widths()
        window.parts.results.choose_columns(measures.from_text(None))
