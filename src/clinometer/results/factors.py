"""The factors in which runs differ: the fields of their configs as columns."""

import collections
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

Values = np.ndarray[Any, Any]

_DEEPEST = 20
_INTEGERS = range(-(2**63), 2**63)


def fields(configs: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """Each field over all configs, as values of one type: truth values, integers, floats, or else text.

    What a field holds by names are fields of their own, called by all names on the way where the last is not enough. A
    list, or what is mixed with others, becomes JSON; null, or a field that a config lacks, is None. The seed comes
    last.

    Example:
        >>> fields([{"lr": 1, "norm": "batch"}, {"lr": 0.5, "norm": ["l1", 2]}, {"norm": None}])
        {'lr': [1.0, 0.5, None], 'norm': ['batch', '["l1", 2]', None]}
        >>> fields([{"seed": 0, "model": {"width": 8, "seed": 1}}])
        {'width': [8], 'model.seed': [1], 'seed': [0]}
    """
    flat = [dict(_leaves(config)) for config in configs]
    paths = sorted(dict.fromkeys(path for config in flat for path in config), key=lambda path: path == ("seed",))
    ends = collections.Counter(path[-1] for path in paths)
    names = {path: path[-1] if ends[path[-1]] == 1 else ".".join(path) for path in paths}
    return {name: _alike([config.get(path) for config in flat]) for path, name in names.items()}


def order(configs: Sequence[Mapping[str, Any]]) -> list[int]:
    """The positions of configs in the order of their fields' values, the first field varying slowest.

    Example:
        >>> order([{"lr": 0.5, "seed": 0}, {"lr": 0.1, "seed": 1}, {"lr": 0.1, "seed": 0}])
        [2, 1, 0]
    """
    ranks = [np.unique(array(values), return_inverse=True)[1] for values in fields(configs).values()]
    return np.lexsort(ranks[::-1]).tolist() if ranks else list(range(len(configs)))


def array(values: Sequence[Any]) -> Values:
    """One field's values as an array: None is NaN among numbers, and "" among text."""
    if None not in values:
        return np.array(values)
    text = any(isinstance(value, str) for value in values)
    return np.array([("" if text else np.nan) if value is None else value for value in values])


def _leaves(config: Mapping[str, Any], before: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    if len(before) > _DEEPEST:
        raise ValueError(f"a config nests at most {_DEEPEST} objects; this one has more.")
    for name, value in config.items():
        if isinstance(value, dict):
            yield from _leaves(value, (*before, name))
        else:
            yield (*before, name), value


def _alike(values: Sequence[Any]) -> list[Any]:
    given = [value for value in values if value is not None]
    kinds = {type(value) for value in given}
    if kinds == {int, float}:
        return [None if value is None else float(value) for value in values]
    if kinds in ({str}, {float}) or (kinds == {bool} and len(given) == len(values)):
        return list(values)
    if kinds == {int} and all(value in _INTEGERS for value in given):
        return list(values)
    return [value if value is None or isinstance(value, str) else json.dumps(value, sort_keys=True) for value in values]
