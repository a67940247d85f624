"""A study's results, from its folder: `claims.json`, `theorems.json`, the figures and `report.html`."""

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from clinometer.report import page
from clinometer.report.figures import save
from clinometer.study.claims import decided
from clinometer.study.config import Config
from clinometer.study.environment import environment
from clinometer.study.executors import Failure
from clinometer.study.files import write_json
from clinometer.study.run import run_folder
from clinometer.study.study import Plan
from clinometer.study.table import Runs
from clinometer.study.theorem import check, rows
from clinometer.study.trained import final_accuracy, left_chance


@dataclass(frozen=True)
class Results:
    """The rows of `claims.json` and `theorems.json`."""

    claims: list[dict[str, Any]]
    theorems: list[dict[str, Any]]


def report(plan: Plan, folder: Path, command: str, failures: list[Failure] | None = None) -> Results:
    """Decide the claims, check the theorems, draw the figures and write the page, from the runs that are done.

    Args:
        plan: What was planned.
        folder: The study's folder.
        command: What makes it again.
        failures: Runs that failed, to be named on the page.
    """
    runs = Runs.finished(folder, plan.configs)
    claims = decided(plan.claims, runs, plan.base)
    write_json(folder / "claims.json", claims)
    theorems = rows({name: check(theorem) for name, theorem in plan.theorems.items()})
    write_json(folder / "theorems.json", theorems)
    exhibits = {name: plan.study.exhibits[name] for name in plan.exhibits}
    figures = {n: e.draw(runs, plan.base) for n, e in exhibits.items() if _has_all(runs, e.arms(plan.base))}
    for name, figure in figures.items():
        save(figure, folder / "figures" / name)
    missing = [f"{name} is not drawn: an arm of it has no finished run." for name in exhibits if name not in figures]
    missing += [
        f"A run failed ({arm_name(f.config, plan.base)}, seed {f.config.seed}): {f.reason}" for f in failures or []
    ]
    page.write(
        page.Page(
            title=plan.study.title,
            source=plan.study.source,
            about=f"Scale: {plan.scale} ({plan.study.scales[plan.scale].about}); {plan.seeds} seeds per arm.",
            command=command,
            claims=claims,
            theorems=theorems,
            arms=[_arm(runs, arm, plan.base) for arm in _arms(runs)],
            figures=figures,
            settings={name: v for name, v in dataclasses.asdict(plan.base).items() if name not in ("norm", "seed")},
            environment=_environment(runs),
            missing=missing,
        ),
        folder,
    )
    return Results(claims, theorems)


def arm_name(config: Config, base: Config) -> str:
    """What sets an arm apart: its norm, its learning rate, and whatever else differs from the base.

    Example:
        >>> arm_name(Config(norm="none", steps=20), Config())
        'norm none, lr 0.1, steps 20'
    """
    facts = dataclasses.asdict(config)
    default = dataclasses.asdict(base)
    names = [name for name in facts if name != "seed" and (name in ("norm", "lr") or facts[name] != default[name])]
    return ", ".join(f"{name} {facts[name]}" for name in names)


def _arms(runs: Runs) -> list[Config]:
    """One config per arm: its first seed's."""
    first: dict[Config, Config] = {}
    for config in runs.configs:
        first.setdefault(dataclasses.replace(config, seed=0), config)
    return list(first.values())


def _has_all(runs: Runs, arms: list[Config]) -> bool:
    done = {dataclasses.replace(config, seed=0) for config in runs.configs}
    return {dataclasses.replace(arm, seed=0) for arm in arms} <= done


def _arm(runs: Runs, config: Config, base: Config) -> page.Arm:
    arm = {name: value for name, value in dataclasses.asdict(config).items() if name != "seed"}
    left = left_chance(runs, **arm)
    return page.Arm(
        name=arm_name(config, base),
        seeds=len(left),
        diverged=runs.diverged(**arm),
        accuracy=_percent(final_accuracy(runs, **arm)),
        test=_percent(np.nan_to_num(runs.values("test", "accuracy", **arm)[:, -1])),
        left_chance=", ".join("never" if np.isinf(step) else f"{step:.0f}" for step in left),
    )


def _percent(values: Any) -> str:
    return f"{100 * values.mean():.1f}% ({100 * values.min():.1f} to {100 * values.max():.1f})"


def _environment(runs: Runs) -> Mapping[str, Any]:
    """Where the first run was made, and in how many other places the rest were."""
    if not runs.configs:
        return environment()
    found = [json.loads((run_folder(runs.study, c) / "environment.json").read_text()) for c in runs.configs]
    others = len({json.dumps(facts, sort_keys=True) for facts in found}) - 1
    return found[0] | ({"note": f"{others} other environments also made runs of this study"} if others else {})
