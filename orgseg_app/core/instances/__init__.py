"""Instances: what a network learns of single objects, and how its maps become objects."""
