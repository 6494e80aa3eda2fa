"""Reasons to give up what is being worked out; in either case nothing has been changed."""

from __future__ import annotations


class StoppedError(Exception):
    """Nobody waits for it any more."""


class TooLargeError(Exception):
    """It would take more memory than is good; the message says what to do."""
