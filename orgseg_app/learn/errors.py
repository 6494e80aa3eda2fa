"""What can go wrong while learning or predicting, in sentences a biologist can act on."""


class LearnError(Exception):
    """Base of all errors of this package; the message is meant to be shown as it is."""


class CheckpointError(LearnError):
    """A checkpoint is damaged, foreign, or of a newer version."""


class DataError(LearnError):
    """The images or masks do not allow what was asked."""


class OutOfMemoryError(LearnError):
    """Even the smallest pieces do not fit into memory."""


class StopRequestedError(LearnError):
    """The user asked to stop; what is done so far is kept."""
