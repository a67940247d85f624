"""What a function was called with, as its caller could have written it."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from clinometer.readable.text import name_of, short

_PLAIN = (str, int, float, bool, type(None), tuple)


def call_text(
    function: Callable[..., Any],
    args: Sequence[Any],
    options: Mapping[str, Any],
    became: Mapping[str, Any] | None = None,
) -> str:
    """A call by name and arguments; what is as by default is left out.

    Args:
        function: What was called.
        args: The arguments by position.
        options: Those by name.
        became: What arguments became, as far as it says more than they do.

    Example:
        >>> def landscape(sizes=None, *, direction="gradient"): ...
        >>> call_text(landscape, [(0.5, 1.0)], {"direction": "gradient"})
        'landscape(sizes=(½, 1))'
    """
    try:
        signature = inspect.signature(function)
        given = signature.bind(*args, **options).arguments | dict(became or {})
        parameters = signature.parameters
    except (TypeError, ValueError):  # it was called otherwise, or is written in C
        return f"{name_of(function)}(…)"
    told: list[str] = []
    for name, value in given.items():
        if parameters[name].kind is inspect.Parameter.VAR_POSITIONAL:
            told += map(short, value)
        elif not is_default(value, parameters[name].default):
            told.append(f"{name}={short(value)}")
    return f"{name_of(function)}({', '.join(told)})"


def is_default(value: Any, default: Any) -> bool:
    """Whether a value is the default one; an array is compared with nothing."""
    if value is default:
        return True
    alike = type(value) is type(default) and isinstance(value, _PLAIN)
    return alike and bool(value == default or (value != value and default != default))
