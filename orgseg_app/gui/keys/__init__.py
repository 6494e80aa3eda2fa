"""Keys: the set in force, the presets of other programs, the sheet, the palette of commands."""
