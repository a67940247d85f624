"""A part of the facts about a run: read from a user's objects, which may refuse, and never worth a run."""

from collections.abc import Callable
from typing import Any

from clinometer.objective.interruptions import is_interruption

_LONGEST = 200  # characters of a text


def part(read: Callable[..., Any], *given: Any) -> Any:
    """What `read` finds, or None where it fails. What interrupts the program from outside is raised.

    Example:
        >>> part(len, "abc"), part(len, 3)
        (3, None)
    """
    try:
        return read(*given)
    except Exception as error:
        if is_interruption(error):
            raise
        return None


def text(value: str) -> str:
    r"""A text as JSON and SQLite can hold it, and not longer than a page can show.

    Example:
        >>> text("a\ud800"), len(text("x" * 1000))
        ('a?', 200)
    """
    whole = value.encode("utf-8", "replace").decode()
    return whole if len(whole) <= _LONGEST else f"{whole[: _LONGEST - 1]}…"


def class_of(thing: Any) -> str:
    """The name of its class."""
    return text(type(thing).__name__)
