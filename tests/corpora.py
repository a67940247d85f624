"""A corpus whose rows are drawn, not trained: healthy series of noise, and sick ones that rise before they break."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
from stored import keep

from clinometer.papers.instability.configs import recorded
from clinometer.papers.instability.healthy import training
from clinometer.training.config import RunConfig

BLOCKS = ["stem", "head"]
BEGIN, BREAK, STEPS = 80, 130, 150
NETWORKS = (("mlp", "none"), ("cnn", "batch"), ("resnet", "none"))


def config(network: int, cause: str, seed: int) -> RunConfig:
    """A run of the corpus, as its study plans it."""
    healthy = training(*NETWORKS[network % len(NETWORKS)], "sgd", 0.1, seed=seed)
    return dataclasses.replace(recorded(healthy, cause, 2.0, BEGIN if cause != "none" else 0), steps=STEPS)


def write(study: Path, run: RunConfig, *, rise: float = 0.0) -> Path:
    """The run with drawn rows; with a rise the head's gradient, and all totals, grow from BEGIN on."""
    rng = np.random.default_rng(run.seed)
    sick = run["cause"] != "none"
    ends = BREAK if sick else STEPS
    logs = 0.2 * rng.standard_normal((ends, 4))
    logs[BEGIN:] += rise * np.arange(ends - BEGIN)[:, None] if ends > BEGIN else 0
    rows: dict[int, dict[str, Any]] = {}
    for step, (loss, update, total, head) in enumerate(np.exp(logs).tolist()):
        norms = {"block": BLOCKS, "gradient_norm": [1.0, head], "update_norm": [1.0, update], "loss": loss}
        norms |= {"update_ratio": [0.1, update], "total_gradient_norm": total, "total_update_norm": update}
        rows[step] = {"train": {"loss": loss}, "step_norms": norms}
    facts = {"cause": run["cause"], "from_step": run["from_step"], "tampered_block": "head" if sick else None}
    return keep(study, dataclasses.asdict(run), rows, **facts, broke_at=BREAK - 1 if sick else None)


def write_half(study: Path, first_seed: int, cause: str) -> list[Path]:
    """Nine healthy and three sick runs of three networks."""
    healthy = [write(study, config(number, "none", first_seed + number)) for number in range(9)]
    return healthy + [write(study, config(n, cause, first_seed + 20 + n), rise=0.08) for n in range(3)]
