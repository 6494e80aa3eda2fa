"""Studies in the window: made, followed, looked at."""
