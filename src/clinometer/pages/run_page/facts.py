"""What the run was, in lines of a table: as it was stored when it was recorded, and never as this machine is."""

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from clinometer.recorder.facts.stored import RunFacts, Settings
from clinometer.results.run_tables import RunRecord
from clinometer.training.files import read_json

_NOT_STORED = "not stored"
_SHOWN_RATES = 4


def summary_line(run: RunRecord) -> str:
    """The run in a line: optimizer, model, batch and steps."""
    facts = run.facts
    parts = [_optimizer(facts), _model(facts), f"batch of {facts.batch}" if facts.batch else "", steps_text(run)]
    return " · ".join(filter(None, parts))


def steps_text(run: RunRecord) -> str:
    """Which steps were measured."""
    steps = sorted({int(step) for table in run.tables.values() for step in table["step"]})
    if not steps:
        return "no step was measured yet"
    return f"{len(steps)} steps measured, {steps[0]} to {steps[-1]}" if len(steps) > 1 else f"step {steps[0]} measured"


def fact_rows(facts: RunFacts) -> list[tuple[str, str]]:
    """A name and a text for each fact; what is not stored says so."""
    rows = [
        ("model", _model(facts)),
        ("optimizer", _optimizer(facts)),
        *_settings(facts),
        ("batch", facts.batch + (f", {facts.batches} batches a step" if (facts.batches or 1) > 1 else "")),
        ("device", ", ".join(filter(None, [facts.device, facts.hardware]))),
        ("processes", str(facts.ranks) if (facts.ranks or 1) > 1 else "1" if facts.ranks else ""),
        ("versions", ", ".join(f"{name} {version}" for name, version in facts.versions.items())),
        ("began", facts.began.replace("T", " ").replace("+00:00", " UTC")),
        *(("resumed", _resumed(each)) for each in facts.resumed),
    ]
    return [(name, text or _NOT_STORED) for name, text in rows]


def _model(facts: RunFacts) -> str:
    count = f"{facts.parameters:,} parameters" if facts.parameters else ""
    return ", ".join(filter(None, [facts.model, count]))


def _optimizer(facts: RunFacts) -> str:
    rates = [f"{rate:g}" for rate in facts.lr[:_SHOWN_RATES]] + ["…"] * (len(facts.lr) > _SHOWN_RATES)
    rate = f"learning rate {' and '.join(rates)}" if rates else ""
    at = f" at step {facts.step}" if rate and facts.step is not None else ""
    return ", ".join(filter(None, [facts.optimizer, rate + at]))


def _settings(facts: RunFacts) -> Iterator[tuple[str, str]]:
    if facts.settings:
        yield "its settings", _told(facts.settings)
    for number, group in enumerate(facts.groups):
        yield f"group {number}", _told(group)


def _told(settings: Settings) -> str:
    used = {name: value for name, value in settings.items() if value not in (False, "")}
    return ", ".join(
        f"{name} {value:g}" if isinstance(value, float) else f"{name} {value}" for name, value in used.items()
    )


def _resumed(facts: RunFacts) -> str:
    changed = [_model(facts), _optimizer(facts), facts.batch and f"batch {facts.batch}", facts.device, facts.hardware]
    versions = ", ".join(f"{name} {version}" for name, version in facts.versions.items())
    now = "; ".join(filter(None, [*changed, versions]))
    return f"at step {facts.step}" + (f", now {now}" if now else ", with nothing changed")


def facts_of_study(folder: Path) -> RunFacts:
    """Of a study's run that was made before recorders wrote facts: what its own files say of it."""
    config, environment = _known(folder / "config.json"), _known(folder / "environment.json")
    settings = _object(config.get("settings"))
    rate = settings.get("lr")
    packages = {name: each for name, each in _object(environment.get("packages")).items() if isinstance(each, str)}
    return RunFacts(
        model=_text(config.get("model")).rpartition(":")[2],
        optimizer=_text(config.get("optimizer")).rpartition(":")[2],
        lr=(float(rate),) if isinstance(rate, int | float) else (),
        settings={
            name: each for name, each in settings.items() if isinstance(each, int | float | str) and name != "lr"
        },
        batch=f"{config['batch_size']} samples" if isinstance(config.get("batch_size"), int) else "",
        device=_text(environment.get("device")),
        hardware=_text(environment.get("processor")),
        versions=packages,
    )


def _known(path: Path) -> Mapping[str, Any]:
    with contextlib.suppress(OSError, ValueError, RecursionError):
        return read_json(path)
    return {}


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
