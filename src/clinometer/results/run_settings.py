"""What two runs are, as their recorders wrote it down, line by line where it differs."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from clinometer.recorder.facts.stored import run_facts
from clinometer.results.curves import RecordedRun
from clinometer.results.finished_run import read_config

_NOT_SETTINGS = ("began", "step", "resumed")
_UNKNOWN = "–"


def setting_differences(base: Sequence[RecordedRun], mine: Sequence[RecordedRun]) -> dict[str, tuple[str, str]]:
    """The settings that differ between two sides, each as text; several values of one side are joined by "or".

    Args:
        base: The runs of one side.
        mine: Those of the other.
    """
    ours, theirs = ([dict(_leaves(_known(run))) for run in side] for side in (base, mine))
    names = dict.fromkeys(name for run in (*ours, *theirs) for name in run)
    said = {name: (_said(name, ours), _said(name, theirs)) for name in names}
    return {name: both for name, both in said.items() if both[0] != both[1]}


def _known(run: RecordedRun) -> dict[str, Any]:
    """What its recorder wrote down; of a study's run that has nothing of it, its config."""
    if not (found := run_facts(run.facts)) and (run.folder / "config.json").is_file():
        return read_config(run.folder)
    facts = dataclasses.asdict(found)
    return {name: value for name, value in facts.items() if name not in _NOT_SETTINGS}


def _leaves(values: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, str]]:
    for name, value in values.items():
        full = f"{before}{name}"
        if isinstance(value, Mapping):
            yield from _leaves(cast("Mapping[str, Any]", value), "" if full == "settings" else f"{full}.")
        elif isinstance(value, list | tuple):
            entries = [_text(each) for each in cast("Sequence[Any]", value)]
            if entries:
                yield full, ", ".join(entries)
        elif value not in ("", None):
            yield full, _text(value)


def _text(value: Any) -> str:
    if isinstance(value, Mapping):
        return "; ".join(f"{name} {_text(of)}" for name, of in cast("Mapping[str, Any]", value).items())
    return f"{value:g}" if isinstance(value, float) else str(value)


def _said(name: str, runs: Sequence[Mapping[str, str]]) -> str:
    return " or ".join(dict.fromkeys(run.get(name, _UNKNOWN) for run in runs))
