"""A study of one's own in a folder, made of losses that are chosen: two arms, and one claim that compares them."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from stored import keep

from clinometer.studies.declared.spec import OwnStudy, declared
from clinometer.studies.plan import Plan, plan
from clinometer.training.study_file import write_study

CLAIM = {
    "id": "worse",
    "statement": "the larger rate is worse",
    "quantity": "train.loss:last",
    "rule": "difference above 0",
    "compare": {"lr": 1.0},
    "to": {"lr": 0.1},
}


def own(*claims: Any, **keys: Any) -> OwnStudy:
    """The study, with these claims in place of its own."""
    given = {"name": "rates", "model": "nets:mlp", "factors": {"lr": [0.1, 1.0]}, "steps": 1, "probes": ["landscape"]}
    return declared({**given, "claims": list(claims) or [CLAIM], **keys})


def planned(*claims: Any, seeds: int = 2, first_seed: int = 100, **keys: Any) -> Plan:
    return plan(own(*claims, **keys).study(), "own", seeds=seeds, first_seed=first_seed)


def make(folder: Path, plan: Plan, differences: Sequence[float] | None = None, **lr: float) -> None:
    """Finish the plan's runs that are not there: at each seed the loss of lr 1 is larger by its difference."""
    apart = differences or [1 + seed / 100 for seed in range(100)]
    for config in plan.configs:
        if not (folder / "runs" / config.key).exists():
            loss = apart[config.seed - plan.first_seed] if config["lr"] == 1.0 else 0.0
            keep(folder, dataclasses.asdict(config), {0: {"train": {"loss": loss + 10.0}}}, environment={})


def described(folder: Path, plan: Plan, **facts: Any) -> None:
    """Write the folder's study.json as the commands do."""
    folder.mkdir(parents=True, exist_ok=True)
    held: Mapping[str, Any] = {"study": plan.study.name, "scale": plan.scale, "declared": plan.study.declared}
    write_study(folder, {**held, "seeds": plan.seeds["own"], "first_seed": plan.first_seed, "command": "x", **facts})
