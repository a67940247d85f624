"""A batch to use again: its containers are copied, so that a step may pop labels from its own; tensors are not."""

import copy
from collections import UserDict
from typing import Any


def fresh(batch: Any) -> Any:
    """The batch in new dicts, lists and tuples.

    Example:
        >>> batch = {"x": [1, 2], "labels": 3}
        >>> fresh(batch).pop("labels")
        3
        >>> batch
        {'x': [1, 2], 'labels': 3}
    """
    if isinstance(batch, dict | UserDict):
        renewed = copy.copy(batch)
        for name, value in batch.items():
            renewed[name] = fresh(value)
        return renewed
    if type(batch) in (list, tuple):
        return type(batch)(fresh(item) for item in batch)
    return batch
