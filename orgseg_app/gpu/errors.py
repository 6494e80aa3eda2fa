"""What can go wrong with the GPU pack, in sentences a biologist can act on."""


class PackError(Exception):
    """The pack cannot be read, fetched, installed or removed; the message is shown as it is."""


class CancelledError(PackError):
    """Whoever asked for it has given it up."""
