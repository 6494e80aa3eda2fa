"""Image readers: one module a family, chosen by what the file holds and not by its name."""
