"""Edits: what a person does to a mask, and exactly what each one altered, for undo.

An edit writes through a `recorder.Recorder`, which gives a `change.Change` in the end. What decides
where it writes is in `orgseg_app.core.painting`.
"""
