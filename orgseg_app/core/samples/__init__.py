"""Simulated microscopy with exact ground truth; the public functions live in ``catalogue``."""
