"""The window: PySide6 widgets over one session. Never imports torch."""
