"""What the optimizers are: their class, and their settings as they stood when the step began."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from clinometer.recorder.facts.part import class_of, part, text

_MOST = 20  # groups


def optimizer_facts(optimizers: Sequence[Any]) -> dict[str, Any]:
    """The settings that all groups of parameters share, and the others by group.

    Example:
        >>> import torch
        >>> one, two = torch.zeros(2, requires_grad=True), torch.zeros(3, requires_grad=True)
        >>> groups = [{"params": [one]}, {"params": [two], "lr": 0.5}]
        >>> facts = optimizer_facts([torch.optim.SGD(groups, lr=0.1, momentum=0.9)])
        >>> facts["class"], facts["momentum"], facts["groups"]
        ('SGD', 0.9, [{'lr': 0.1, 'tensors': 1}, {'lr': 0.5, 'tensors': 1}])
    """
    groups = [found for each in optimizers for found in part(_groups, each) or []]
    if not groups:
        return {"class": ", ".join(dict.fromkeys(map(class_of, optimizers)))} if optimizers else {}
    shared = {name: value for name, value in groups[0].items() if all(_has(group, name, value) for group in groups)}
    if len(groups) == 1:
        shared.pop("tensors", None)
        return shared
    classes = {"class": ", ".join(dict.fromkeys(group["class"] for group in groups))}
    shared.pop("tensors", None)
    own = [{name: value for name, value in group.items() if name not in shared} for group in groups]
    differ = any(group.keys() - {"tensors"} for group in own)
    return classes | shared | ({"groups": own[:_MOST]} if differ else {})


def _groups(optimizer: Any) -> list[dict[str, Any]]:
    return [{"class": class_of(optimizer)} | _settings(group) for group in optimizer.param_groups]


def _settings(group: Mapping[str, Any]) -> dict[str, Any]:
    found = {text(str(name)): part(_value, value) for name, value in group.items() if name != "params"}
    return {name: value for name, value in found.items() if value is not None} | {"tensors": len(group["params"])}


def _value(value: Any) -> Any:
    """A setting as JSON can hold it; None where it is something else."""
    if isinstance(value, Tensor):
        return _value(value.item()) if value.numel() == 1 else None
    if type(value) in (bool, int, float):
        return value
    if isinstance(value, str):
        return text(value)
    if isinstance(value, tuple | list) and len(value) <= 8:
        return [_value(each) for each in value]
    return None


def _has(group: Mapping[str, Any], name: str, value: Any) -> bool:
    other = group.get(name)
    both_nan = isinstance(value, float) and isinstance(other, float) and math.isnan(value) and math.isnan(other)
    return name in group and (other == value or both_nan)
