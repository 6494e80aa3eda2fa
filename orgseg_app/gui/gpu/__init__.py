"""The graphics card in the window: what is said about it, and the pack that makes it useful."""
