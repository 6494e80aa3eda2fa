"""Annotation formats: one module a format; what they find is shown before it is used."""
