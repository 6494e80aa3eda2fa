"""What can go wrong with a file, said in one sentence a biologist can act on."""

from __future__ import annotations


class FileError(Exception):
    """Base of every error that the ``files`` package raises for a user to read.

    The message says what happened, what is safe and what to do; the technical cause, if any, is
    chained as ``__cause__``.
    """


class ReadError(FileError):
    """An image or annotation file could not be read."""


class ProjectError(FileError):
    """A project file could not be opened, changed or saved."""
