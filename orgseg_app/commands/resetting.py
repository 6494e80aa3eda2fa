"""``--reset-settings``: everything the window remembers, as at the first start."""

from __future__ import annotations

from orgseg_app import settings
from orgseg_app.commands.console import CommandError, out


def reset_settings() -> int:
    """Set the settings back, and say where the old ones are.

    Raises
    ------
    CommandError
        When the file cannot be moved.
    """
    path = settings.settings_path()
    try:
        kept = settings.reset()
    except OSError as error:
        raise CommandError(
            f"The settings in {path} could not be reset: {error.strerror}. They are as they were; "
            "check that you may write there."
        ) from error
    if kept is None:
        out("The settings are as at the first start already. Projects and models are untouched.")
    else:
        out(
            f"The settings are as at the first start. The old ones are kept in {kept}. "
            "Projects and models are untouched. A window that is open keeps its settings until "
            "it is closed."
        )
    return 0
