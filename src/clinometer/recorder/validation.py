"""What a recorder is given, checked before the first step: that may be hours before it would go wrong."""

import operator
from collections.abc import Mapping, Sequence
from typing import Any

from torch import nn

from clinometer.objective.checks import trainable_of
from clinometer.objective.discover import modules_used_by
from clinometer.objective.distributed import ProcessGroup, ranks_of, wrappers_around
from clinometer.objective.fsdp import Fsdp
from clinometer.objective.module_state import modules_of
from clinometer.objective.objective import LossFn
from clinometer.probes.base import Probe
from clinometer.recorder.pending_step import held_by
from clinometer.recorder.schedules import Schedule, every
from clinometer.store import Row


def named(probes: Any) -> dict[str, Probe]:
    """The probes by name."""
    if not isinstance(probes, Mapping | Sequence) or not probes:
        raise TypeError(f"probes must be a nonempty list or mapping, such as [landscape()]; found {probes!r}.")
    if isinstance(probes, Mapping):
        return dict(probes)
    names = [str(getattr(probe, "__name__", type(probe).__name__)) for probe in probes]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise ValueError(f"two probes are named {twice.pop()!r}; pass a mapping: probes={{'name': probe, ...}}.")
    return dict(zip(names, probes, strict=True))


def schedules_of(probes: Mapping[str, Probe], when: Any) -> list[tuple[Schedule, list[str]]]:
    """Each schedule once, with the probes that follow it: one for all, or each probe's own."""
    one: Any = every(100) if when is None else when
    chosen: dict[str, Any] = dict(when) if isinstance(when, Mapping) else dict.fromkeys(probes, one)
    if set(chosen) != set(probes):
        raise ValueError(f"`when` has schedules for {', '.join(chosen)}; expected one for each of {', '.join(probes)}.")
    found: dict[int, tuple[Any, list[str]]] = {}
    for name, schedule in chosen.items():
        if not callable(schedule):
            raise TypeError(f"when must be a schedule such as every(100); found {schedule!r}.")
        kept: tuple[Any, list[str]] = found.setdefault(id(schedule), (schedule, []))
        kept[1].append(name)
    return list(found.values())


def optimizers_of(optimizer: Any) -> list[Any]:
    """The optimizers, without the wrappers that accelerate puts around them."""
    given = list(optimizer) if isinstance(optimizer, list | tuple) else [] if optimizer is None else [optimizer]
    found: list[Any] = []
    for each in given:
        while hasattr(getattr(each, "optimizer", None), "param_groups"):
            each = each.optimizer
        if not hasattr(each, "param_groups"):
            raise TypeError(f"optimizer must be a torch optimizer or a list of them; found {each!r}.")
        found.append(each)
    return found


def trained_by(model: nn.Module, loss_fn: LossFn, optimizers: Sequence[Any]) -> ProcessGroup:
    """The processes that train the model; ValueError if it has nothing to train, or wrappers that we cannot measure."""
    modules = modules_of([model, *modules_used_by(loss_fn)])
    Fsdp(modules)  # names then mean pieces, and not what an earlier forward pass gathered
    return ranks_of(modules, trainable_of(model, held_by(optimizers)), wrappers_around(model))


def index_of(start: Any) -> int:
    """The index to start from."""
    index = operator.index(start)
    if index < 0:
        raise ValueError(f"start must be 0 or more; found {index}.")
    return index


def check_probes(probes: Mapping[str, Probe], model: nn.Module, optimizers: Sequence[Any]) -> None:
    """Let each probe say whether it can work."""
    for probe in probes.values():
        check = getattr(probe, "check", None)
        if check:
            check(model, optimizers[0] if optimizers else None)


def row_of(name: str, row: Any) -> Row:
    """What a probe returned."""
    if not isinstance(row, Mapping):
        raise TypeError(
            f"the probe {name!r} returned {type(row).__name__}; expected a mapping from names to numbers or arrays. "
            "A probe is made by a call: probes=[landscape()], not probes=[landscape]."
        )
    return row
