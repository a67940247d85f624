"""A recorder's probes, each with its schedule: which are due at a step, and what their budgets are told."""

import contextlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from torch import nn

from clinometer.probes.base import Probe, Step, cost_of, evaluates
from clinometer.recorder.budget import Budget, timed, within_budget
from clinometer.recorder.first_mistakes import check_probe
from clinometer.recorder.schedules import Schedule, at, every, log_spaced
from clinometer.store import Row


class ScheduledProbes:
    """The probes by name, and the schedules that they follow.

    Args:
        probes: A nonempty list or mapping of probes.
        when: One schedule for all, or a mapping with one for each; `every(100)` by default.

    Raises:
        TypeError, ValueError: if they are something else, two probes have one name, or a probe has no schedule.

    Example:
        >>> probes = ScheduledProbes({"often": lambda step: {}, "seldom": lambda step: {}},
        ...                          {"often": every(2), "seldom": every(3)})
        >>> [probes.due(index) for index in range(4)]
        [['often', 'seldom'], [], ['often'], ['seldom']]
    """

    def __init__(self, probes: Any, when: Any) -> None:
        self.by_name = _by_name(probes)
        self._schedules = _schedules(self.by_name, when)
        self._memories: dict[str, dict[str, Any]] = {}  # what each probe left in `Step.memory`
        self._earlier: dict[str, dict[str, Any]] = {}  # and what it had found there
        self.budgets = [schedule for schedule, _ in self._schedules if isinstance(schedule, Budget)]

    @property
    def schedules(self) -> list[Schedule]:
        """Each schedule once."""
        return [schedule for schedule, _ in self._schedules]

    def check(self, model: nn.Module, has_lr: bool) -> None:
        """Raise ValueError if a probe needs a learning rate and there is none; let each raise if it cannot work."""
        for name, probe in self.by_name.items():
            if self.need_lr([name]) and not has_lr:
                raise ValueError(
                    f"{name} walks in multiples of the learning rate, and the recorder has none: pass optimizer= or "
                    "lr= to Recorder, or landscape(sizes=[...], relative=False)."
                )
            check = getattr(probe, "check", None)
            if check:
                check(model)

    def need_lr(self, names: Iterable[str]) -> bool:
        """Whether any of these probes measures nothing without a learning rate."""
        return any(getattr(self.by_name[name], "needs_lr", False) for name in names)

    def evaluate(self, names: Iterable[str]) -> bool:
        """Whether any of these probes asks for a loss, a gradient or a batch."""
        return any(evaluates(self.by_name[name]) for name in names)

    def declare_costs(self, broadcast: Callable[[int], int]) -> None:
        """Give each budget the declared cost of its probes, and the function by which processes agree on a step."""
        for schedule, names in self._schedules:
            if isinstance(schedule, Budget):
                shared = 1.0 if self.evaluate(names) else 0.0  # the pass where the step starts
                schedule.declare(shared + sum(cost_of(self.by_name[name]) for name in names), broadcast)

    def state_dict(self) -> dict[str, Any]:
        """What the budgets have learned, and what the probes remember: JSON, but for tensors."""
        memories = {name: dict(memory) for name, memory in self._memories.items() if memory}
        return {"budgets": [budget.state_dict() for budget in self.budgets], "memories": memories}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on with what the budgets of another had learned, and its probes remember."""
        for budget, learned in zip(self.budgets, state["budgets"], strict=True):
            budget.load_state_dict(learned)
        self._memories = {name: dict(memory) for name, memory in state["memories"].items()}

    def due(self, index: int) -> list[str]:
        """The names of the probes that are due at a step; asked once per step, in order."""
        due: list[str] = []
        for schedule, names in self._schedules:
            if schedule(index):
                due += names
        return due

    def row(self, name: str, step: Step, *, again: bool = False) -> Row:
        """The row of one probe at a step. What the probe leaves in `step.memory` is kept for its next row.

        Args:
            name: The probe.
            step: The step.
            again: Whether the last row is measured anew: the probe then remembers what it did before that.
        """
        found = self._earlier.get(name, {}) if again else self._memories.get(name, {})
        step.memory.clear()
        step.memory.update(found)
        row = _row(name, self.by_name[name](step))
        self._earlier[name], self._memories[name] = found, dict(step.memory)
        return row

    def timed(self, names: Sequence[str]) -> contextlib.AbstractContextManager[None]:
        """Count the time inside the block as spent by the budgets of these probes."""
        return timed([schedule for schedule, members in self._schedules if members[0] in names])


def _by_name(probes: Any) -> dict[str, Probe]:
    if isinstance(probes, Mapping):
        for name, probe in probes.items():
            check_probe(name, probe)
        return dict(probes)  # it may be empty: some runs of a study are trained and not measured
    if not isinstance(probes, Sequence) or not probes:
        raise TypeError(f"probes must be a nonempty list or mapping, such as [landscape()]; found {probes!r}.")
    if isinstance(probes, str):
        check_probe(probes, probes)
    names = [str(getattr(probe, "__name__", type(probe).__name__)) for probe in probes]
    for name, probe in zip(names, probes, strict=True):
        check_probe(name, probe)
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise ValueError(f"two probes are named {twice.pop()!r}; pass a mapping: probes={{'name': probe, ...}}.")
    return dict(zip(names, probes, strict=True))


def _schedules(probes: Mapping[str, Probe], when: Any) -> list[tuple[Schedule, list[str]]]:
    """Each schedule once, with the names of the probes that follow it."""
    one: Any = every(100) if when is None else when
    chosen: dict[str, Any] = dict(when) if isinstance(when, Mapping) else dict.fromkeys(probes, one)
    if set(chosen) != set(probes):
        raise ValueError(f"`when` has schedules for {', '.join(chosen)}; expected one for each of {', '.join(probes)}.")
    found: dict[int, tuple[Any, list[str]]] = {}
    for name, schedule in chosen.items():
        if not callable(schedule) or schedule in (every, at, log_spaced, within_budget):
            found_it = f"the function {schedule.__name__}" if callable(schedule) else repr(schedule)
            raise TypeError(f"when must be a schedule such as every(100); found {found_it}.")
        members: tuple[Any, list[str]] = found.setdefault(id(schedule), (schedule, []))
        members[1].append(name)
    return list(found.values())


def _row(name: str, row: Any) -> Row:
    if not isinstance(row, Mapping):
        found = "a probe" if callable(row) else type(row).__name__
        raise TypeError(
            f"the probe {name!r} returned {found}; expected a mapping from names to numbers or arrays. "
            "A probe is made by a call: probes=[landscape()], not probes=[landscape]."
        )
    return row
