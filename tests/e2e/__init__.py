"""The whole story, told in the real window with mouse and keys."""
