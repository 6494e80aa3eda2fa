"""What can go wrong with runs, in sentences a biologist can act on."""


class RunError(Exception):
    """Base of all errors of this package; the message is meant to be shown as it is."""


class RecipeError(RunError):
    """A recipe cannot be used: a value out of range, a misspelt name, a damaged file."""
