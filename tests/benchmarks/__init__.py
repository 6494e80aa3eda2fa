"""Speed and quality, measured; see ``run.py``."""
