"""Any value in a few words: arrays by shape and range, long lists by their first entries, no control characters.

Such text is shown where something has gone wrong, so it must not go wrong itself: a value that cannot be read is told
by its type.
"""

import itertools
import math
import unicodedata
from collections.abc import Iterable, Mapping
from typing import Any

_LETTERS = 80  # of one value
_ENTRIES = 6  # of a list, and of a vector that is written out
_DEPTH = 3  # of lists in lists
_COUNTED = 100_000  # numbers of an array whose range is looked for
_FRACTIONS = {0.25: "¼", 0.5: "½", 0.75: "¾"}
_KEPT = "\n\t"
_UNSEEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}  # controls, marks that turn the direction of writing, halves of pairs


def plain(text: str) -> str:
    r"""Text without characters that steer: each is shown as �, so that nothing is hidden or moved.

    Example:
        >>> plain("conv\x1b[2J1 β")
        'conv�[2J1 β'
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join("�" if c not in _KEPT and unicodedata.category(c) in _UNSEEN else c for c in text)


def short(value: object, depth: int = 0) -> str:
    r"""A value in one short line, whatever it is.

    Args:
        value: Anything; of a tensor on an accelerator, or of a large one, the range is left out.
        depth: In how many lists it lies.

    Example:
        >>> import numpy as np
        >>> print(short((0.5, 1.0, 2.0)), short("conv\x1b[2J"), short(range(1000)), short({"lr": 0.1}))
        (½, 1, 2) 'conv�[2J' range(0, 1000) {'lr': 0.1}
        >>> print(short(np.linspace(0, 3, 60).reshape(20, 3)), short(list(range(100))))
        20×3 float64, 0 to 3 [0, 1, 2, … 100 in all]
    """
    try:
        return _short(value, depth)
    except Exception:  # a repr is the last thing that may fail
        return f"<{name_of(type(value))}>"


def number(value: float) -> str:
    """A number with four digits; quarters as such.

    Example:
        >>> number(0.5), number(4.0), number(0.123456), number(float("nan"))
        ('½', '4', '0.1235', 'nan')
    """
    if abs(value) in _FRACTIONS:
        return "-" * (value < 0) + _FRACTIONS[abs(value)]
    return f"{value:.0f}" if math.isfinite(value) and value == round(value) and abs(value) < 1e6 else f"{value:.4g}"


def name_of(thing: Any) -> str:
    """What a class or function is called."""
    return _cut(plain(str(getattr(thing, "__name__", type(thing).__name__))))


def _short(value: Any, depth: int) -> str:
    if isinstance(value, str):
        return repr(plain(_cut(value)))
    if value is None or isinstance(value, bool):
        return str(value)
    if isinstance(value, float):
        return number(value)
    if isinstance(value, int):
        return _cut(str(value))
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        return _array(value)
    if isinstance(value, Mapping):
        return _listed("{}", (f"{short(k, depth + 1)}: {short(v, depth + 1)}" for k, v in value.items()), value, depth)
    if isinstance(value, list | tuple | set | frozenset):
        pair = "[]" if isinstance(value, list) else "()" if isinstance(value, tuple) else "{}"
        return _listed(pair, (short(each, depth + 1) for each in value), value, depth)
    return _other(value)


def _listed(pair: str, parts: Iterable[str], whole: Any, depth: int) -> str:
    count = len(whole)
    if depth >= _DEPTH and count:
        return f"{pair[0]}… {count} in all{pair[1]}"
    shown = list(itertools.islice(parts, _ENTRIES if count <= _ENTRIES else _ENTRIES // 2))
    more = [f"… {count} in all"] if count > len(shown) else []
    alone = "," if pair == "()" and count == 1 else ""
    return f"{pair[0]}{', '.join([*shown, *more])}{alone}{pair[1]}"


def _array(value: Any) -> str:
    """A vector of a few numbers is written out; what is larger is told by its shape, type and range."""
    shape = tuple(int(side) for side in value.shape)
    count, kind = math.prod(shape), str(value.dtype).removeprefix("torch.")
    where = getattr(getattr(value, "device", None), "type", "cpu")
    if where == "cpu" and len(shape) < 2 and count <= _ENTRIES:
        return short(value.tolist())
    text = f"{'×'.join(map(str, shape))} {kind}" + ("" if where == "cpu" else f" on {where}")
    if where != "cpu" or not 0 < count <= _COUNTED:
        return text
    numbers = value.detach() if hasattr(value, "detach") else value
    try:
        low, high = float(numbers.min()), float(numbers.max())
    except Exception:  # text, or complex numbers, which have no order
        return text
    return f"{text}, with NaN" if math.isnan(low) else f"{text}, {number(low)} to {number(high)}"


def _other(value: Any) -> str:
    """What says something of itself in one line says it; else its name or its type."""
    if isinstance(value, type) or (callable(value) and hasattr(value, "__qualname__")):
        return name_of(value)
    if type(value).__repr__ is object.__repr__ or hasattr(value, "named_parameters"):
        return name_of(type(value))
    text = repr(value)
    return plain(text) if len(text) <= _LETTERS and "\n" not in text else name_of(type(value))


def _cut(text: str) -> str:
    return text if len(text) <= _LETTERS else f"{text[: _LETTERS - 1]}…"
