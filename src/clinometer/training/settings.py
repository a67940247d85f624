"""The values of settings and factors: plain, immutable, and of types that JSON can hold."""

import math
from collections.abc import Mapping
from typing import Any

from clinometer.training.errors import SpecError

Value = Any  # None, a bool, an int, a finite float, a str, a tuple of Values or a Settings
_EXACT = 2**53  # every whole number up to here is a float


class Settings(dict[str, Value]):
    """Named values that nothing changes, and so can be hashed; a dict to `json` and to `dataclasses.asdict`.

    Example:
        >>> hash(Settings(lr=1)) == hash(Settings(lr=1.0))
        True
    """

    def __hash__(self) -> int:  # pyright: ignore[reportIncompatibleVariableOverride]
        return hash(frozenset(self.items()))


def frozen(key: str, value: object) -> Value:
    """The value with tuples for lists and Settings for mappings; SpecError if JSON could not hold it."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise SpecError(key, f"expected a finite number; found {value}.")
        return value
    if isinstance(value, list | tuple):
        return tuple(frozen(f"{key}[{index}]", each) for index, each in enumerate(value))
    if isinstance(value, Mapping):
        return Settings({str(name): frozen(f"{key}.{name}", each) for name, each in value.items()})
    raise SpecError(key, f"expected numbers, text, true, false, null, or lists of them; found {value!r}.")


def canonical(value: Value) -> Value:
    """The value to hash: whole numbers become integers, so that lr=1 and lr=1.0 are one run.

    Example:
        >>> canonical((1.0, 0.5, {"p": -0.0}, True, 1e30))
        [1, 0.5, {'p': 0}, True, 1e+30]
    """
    if isinstance(value, float) and value.is_integer() and abs(value) < _EXACT:
        return int(value)
    if isinstance(value, Mapping):
        return {name: canonical(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [canonical(each) for each in value]
    return value
