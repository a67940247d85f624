"""The end of a search that has found no learning rate, and why."""


class CannotTellError(Exception):
    """A learning rate cannot be told; the message says why, as the end of "cannot tell: ..."."""
