"""The largest stable rate of each network and optimizer of the instability corpus, as `healthy.py` keeps them.

Rates are halved from where a grid begins until two in a row are stable: no seed breaks within 300 steps, and all
end below a quarter of their first loss (gpt: three quarters). Half an hour on one core.
"""

import argparse
import math
import statistics
from collections.abc import Mapping

import torch

from clinometer.papers.instability.healthy import LARGEST_STABLE, OPTIMIZERS, training
from clinometer.recorder.verdict.breaks import broke_at
from clinometer.training.config import RunConfig
from clinometer.training.from_config import build_training
from clinometer.training.parts import seed_all

BEGIN: Mapping[str, float] = {"sgd": 2.0, "momentum": 1.0, "adamw": 1 / 4, "muon": 1.0}
BEGIN_GPT: Mapping[str, float] = {"sgd": 2.0, "momentum": 1.0, "adamw": 1 / 16, "muon": 1 / 4}


def losses(config: RunConfig) -> list[float]:
    """The losses of a run, to its end or to the first that is not finite."""
    run = build_training(config)
    seed_all(config.seed)
    found: list[float] = []
    for batch in run.batches(0):
        loss = run.loss_fn(run.model, batch)
        loss.backward()
        run.optimizer.step()
        assert run.scheduler
        run.scheduler.step()
        run.optimizer.zero_grad()
        found.append(loss.item())
        if not math.isfinite(found[-1]):
            break
    return found


def is_stable(network: str, variant: str, optimizer: str, lr: float, seeds: range) -> bool:
    """Whether no seed breaks, and all learn."""
    batch_size, kept = (32, 0.75) if network == "gpt" else (64, 0.25)
    decay = 0.01 if optimizer == "adamw" else 0.0  # torch's defaults
    for seed in seeds:
        found = losses(training(network, variant, optimizer, lr, seed=seed, batch_size=batch_size, weight_decay=decay))
        if broke_at(found) is not None or statistics.mean(found[-20:]) >= kept * found[0]:
            return False
    return True


def largest_stable(network: str, variant: str, optimizer: str, seeds: range) -> float:
    """The larger of the first two rates in a row that are stable."""
    lr = (BEGIN_GPT if network == "gpt" else BEGIN)[optimizer]
    while not all(is_stable(network, variant, optimizer, rate, seeds) for rate in (lr, lr / 2)):
        lr /= 2
    return lr


def main() -> None:
    """Print a line for each pair, with what `healthy.py` has."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--repeats", type=int, default=2, help="seeds, none of which may break")
    parser.add_argument("--only", default="", help="the network, such as mlp")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    print(f"n = {chosen.repeats} seeds a rate")
    for (network, variant), kept in LARGEST_STABLE.items():
        if chosen.only not in ("", network):
            continue
        for optimizer, rate in zip(OPTIMIZERS, kept, strict=True):
            found = largest_stable(network, variant, optimizer, range(chosen.repeats))
            print(f"{network:10} {variant:6} {optimizer:9} {found:g} (kept: {rate:g})", flush=True)


if __name__ == "__main__":
    main()
