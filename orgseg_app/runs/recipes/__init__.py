"""Recipes: their fields, what may be chosen, presets, reading and describing them."""
