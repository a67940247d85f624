"""The settings of a config that its trainer itself reads, and that none of the functions which it calls has to take."""

from collections.abc import Callable
from typing import Any, TypeVar

_MARK = "own_settings"
Function = TypeVar("Function", bound=Callable[..., Any])


def reads_settings(*names: str) -> Callable[[Function], Function]:
    """Mark a trainer that reads these settings.

    Example:
        >>> @reads_settings("cause")
        ... def train(runs, device="cpu"): ...
        >>> own_settings(train), own_settings(print)
        (('cause',), ())
    """

    def mark(trainer: Function) -> Function:
        setattr(trainer, _MARK, names)
        return trainer

    return mark


def own_settings(trainer: Callable[..., Any]) -> tuple[str, ...]:
    """The settings that a trainer reads itself."""
    return getattr(trainer, _MARK, ())
