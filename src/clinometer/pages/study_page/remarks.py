"""What must be known of the runs that a study's page rests on: how many there are, what made them, what is missing."""

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from clinometer.results.run_table import RunTable
from clinometer.runner.scheduler import Failure
from clinometer.studies.plan import Plan
from clinometer.training.environment import environment

MADE_WITH = "made_with.json"  # beside claims.json: versions and hardware of the runs

_NAMED = 1


def remarks(plan: Plan, runs: RunTable) -> list[str]:
    """What must be known first: of a study that is not complete, of runs that were made differently, or are damaged."""
    return [*_unfinished(plan, runs), *_mixed(runs), *(f"Left out: {damage}" for damage in runs.damaged)]


def what_is_missing(plan: Plan, drawn: Collection[str], failures: Sequence[Failure]) -> list[str]:
    """The figures that are not drawn, and the runs that failed."""
    figures = [f"{name} is not drawn: an arm of it has no finished run." for name in plan.figures if name not in drawn]
    return [*figures, *(f"A run failed ({plan.run_name(failure.config)}): {failure.reason}" for failure in failures)]


def made_with(runs: RunTable) -> Mapping[str, Any]:
    """Where the first run was made, and in how many other places the rest were."""
    if not runs.configs:
        return environment()
    found = [
        {name: fact for name, fact in run.environment.items() if name != "fingerprint"} for run in runs.runs.values()
    ]
    others = len({json.dumps(facts, sort_keys=True) for facts in found}) - 1
    return found[0] | ({"note": f"{others} other environments also made runs of this study"} if others else {})


def _unfinished(plan: Plan, runs: RunTable) -> list[str]:
    done, planned = len(runs.configs), len(plan.configs)
    if done == planned:
        return []
    return [
        f"Partial: {done} of {planned} runs are finished, and all below rests on these." if done else "Not yet run."
    ]


def _mixed(runs: RunTable) -> list[str]:
    """What must be known of runs that were made by different code, data or versions."""
    first: dict[tuple[str, str], Any] = {}
    differing: dict[str, dict[str, None]] = {}
    for run in runs.runs.values():  # arms may have other modules and data: what has one name must be one thing
        for (kind, name), value in _parts(run.environment.get("fingerprint")).items():
            if first.setdefault((kind, name), value) != value:
                differing.setdefault(kind, {})[name] = None
    told = [_named(kind, list(names)) for kind, names in differing.items()]
    return [f"Mixed: its runs were not all made with the same ({'; '.join(told)})."] if told else []


def _named(kind: str, names: Sequence[str]) -> str:
    """The first part of a kind by name, and how many more: there may be one data set for each seed."""
    left = len(names) - _NAMED
    return ": ".join(filter(None, (kind, ", ".join(names[:_NAMED])))) + (f" and {left} more" if left > 0 else "")


def _parts(fingerprint: Any) -> dict[tuple[str, str], Any]:
    """The parts of a fingerprint, module by module and data set by data set."""
    if not isinstance(fingerprint, Mapping):
        return {("fingerprint", ""): fingerprint}
    parts: dict[tuple[str, str], Any] = {("fingerprint", ""): "there"}
    for kind, digests in fingerprint.items():
        each = digests if isinstance(digests, Mapping) else {"": digests}
        parts |= {(str(kind), str(name)): value for name, value in each.items()}
    return parts
