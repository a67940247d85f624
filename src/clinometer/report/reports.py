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
from clinometer.study.config import GAUSSIAN, Config
from clinometer.study.environment import environment
from clinometer.study.executors import Failure
from clinometer.study.files import read_json, write_json
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
    claims = decided(plan.claims, runs, plan.bases)
    write_json(folder / "claims.json", claims)
    theorems = rows({name: check(theorem) for name, theorem in plan.theorems.items()})
    write_json(folder / "theorems.json", theorems)
    exhibits = {name: plan.study.exhibits[name] for name in plan.exhibits}
    with np.errstate(divide="ignore", invalid="ignore"):  # what diverged leaves gaps
        figures = {n: e.draw(runs, plan.bases) for n, e in exhibits.items() if _has_all(runs, e.arms(plan.bases))}
    for name, figure in figures.items():
        save(figure, folder / "figures" / name)
    missing = _unfinished(len(runs.configs), len(plan.configs))
    missing += [f"{name} is not drawn: an arm of it has no finished run." for name in exhibits if name not in figures]
    missing += [f"A run failed ({arm_name(f.config, plan)}, seed {f.config.seed}): {f.reason}" for f in failures or []]
    page.write(
        page.Page(
            title=plan.study.title,
            source=plan.study.source,
            about=f"Scale: {plan.scale} ({plan.study.scales[plan.scale].about}); {seeds_said(plan)}.",
            command=command,
            claims=claims,
            theorems=theorems,
            arms=[_arm(runs, arm, plan) for arm in runs.arms],
            figures=figures,
            settings={name: _settings(plan.bases[name]) for name in plan.used},
            environment=_environment(runs),
            missing=missing,
        ),
        folder,
    )
    return Results(claims, theorems)


def _has_all(runs: Runs, arms: list[Config]) -> bool:
    """Whether the arms on each data set have a seed in common, so that they can be compared."""
    return all(runs.seeds(*(arm for arm in arms if arm.data == data)) for data in {arm.data for arm in arms})


def _unfinished(done: int, planned: int) -> list[str]:
    """What a page says first of a study that is not whole."""
    if done == planned:
        return []
    return [
        f"Partial: {done} of {planned} runs are finished, and all below rests on these." if done else "Not yet run."
    ]


def arm_name(config: Config, plan: Plan) -> str:
    """What sets an arm apart: its base, its norm, its learning rate, and whatever else differs from the base."""
    name = plan.base_of(config)
    facts, base = dataclasses.asdict(config), dataclasses.asdict(plan.bases[name])
    told = [f for f in facts if f != "seed" and (f in ("norm", "lr") or facts[f] != base[f])]
    return ", ".join([name, *(f"{f} {facts[f]}" for f in told)])


def seeds_said(plan: Plan) -> str:
    """How many seeds an arm has, base by base."""
    return ", ".join(f"{plan.seeds[name]} seeds ({name})" for name in plan.used) or "nothing to run"


def _settings(base: Config) -> dict[str, Any]:
    return {name: value for name, value in dataclasses.asdict(base).items() if name not in ("norm", "seed")}


def _arm(runs: Runs, arm: Config, plan: Plan) -> page.Arm:
    losses = runs.values(arm, "train", "loss")[:, [0, -1]]
    told = page.Arm(
        name=arm_name(arm, plan),
        seeds=len(losses),
        diverged=runs.diverged(arm),
        loss=f"{np.mean(losses[:, 0]):.3g} → {np.mean(losses[:, 1]):.3g}",
    )
    if arm.data == GAUSSIAN:
        return told
    left = left_chance(runs, arm)
    return dataclasses.replace(
        told,
        accuracy=_percent(final_accuracy(runs, arm)),
        test=_percent(np.nan_to_num(runs.values(arm, "test", "accuracy")[:, -1])),
        left_chance=", ".join("never: dead" if np.isinf(step) else f"{step:.0f}" for step in left),
    )


def _percent(values: Any) -> str:
    return f"{100 * values.mean():.1f}% ({100 * values.min():.1f} to {100 * values.max():.1f})"


def _environment(runs: Runs) -> Mapping[str, Any]:
    """Where the first run was made, and in how many other places the rest were."""
    if not runs.configs:
        return environment()
    found = [read_json(run_folder(runs.study, c) / "environment.json") for c in runs.configs]
    others = len({json.dumps(facts, sort_keys=True) for facts in found}) - 1
    return found[0] | ({"note": f"{others} other environments also made runs of this study"} if others else {})
