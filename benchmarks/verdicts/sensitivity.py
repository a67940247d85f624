"""Which verdicts move with what the paper chose: width, initial weights, one learning rate for all networks.

    python benchmarks/verdicts/sensitivity.py [--seeds 3] [--jobs 2] [--only "as it is,half the width"]

The convolutional network of the smoke scale is made again with another width, with other initial weights, and with
each network at its own best learning rate: that of the lowest training loss over the last steps, chosen on seeds that
are not used otherwise. Claims and rules are the paper's. The deep linear network stays as it is.
Finished runs are kept: call it again to go on.
"""

import argparse
import dataclasses
import functools
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from tables import Findings, agreement, claims_on, decided, effect_table, header, runs_of_claims, verdict_table, write

from clinometer.papers.santurkar2018.definition import SCALES
from clinometer.papers.santurkar2018.variants import LABELS
from clinometer.results.run_table import RunTable
from clinometer.runner.local import LocalPool, worker_devices
from clinometer.runner.scheduler import run_all
from clinometer.studies.plan import Plan
from clinometer.training.config import RunConfig
from clinometer.training.settings import Settings

RATES = (0.01, 0.03, 0.1, 0.3, 1.0)
CHOSEN_ON = (90, 91)  # seeds of the pilots among which a rate is chosen; those that are measured begin at another
LAST = 20  # steps whose mean loss ranks the rates

Changed = Callable[[RunConfig], RunConfig]


def with_settings(base: RunConfig, **settings: object) -> RunConfig:
    """A config with settings that it may not have had."""
    return dataclasses.replace(base, settings=Settings({**base.settings, **settings}))


CHANGES: Mapping[str, Changed] = {
    "as it is": lambda base: base,
    "half the width": lambda base: base.vary(width=base["width"] / 2),
    "Glorot normal": lambda base: with_settings(base, init="glorot_normal"),
    "Kaiming normal": lambda base: with_settings(base, init="kaiming_normal"),
    "twice the width": lambda base: base.vary(width=2 * base["width"]),
}
BEST = "own best rate"


def planned(change: Changed, options: argparse.Namespace) -> Plan:
    """The claims on the scale's bases with another convolutional network."""
    bases = dict(SCALES[options.scale].bases)
    bases["vgg"] = change(bases["vgg"])
    if options.steps:
        bases = {name: base.vary(steps=options.steps) for name, base in bases.items()}
    return claims_on(bases, options.seeds, options.first_seed)


def made(runs: list[RunConfig], options: argparse.Namespace) -> RunTable:
    """Make those runs that are not done, unless only a page is wanted, and read them."""
    if not options.page_only:
        pool = LocalPool(worker_devices(options.device, options.jobs, options.jobs))
        for failure in run_all(runs, options.to, device=options.device, pool=pool, stale="remake"):
            print(failure.config.short(), failure.reason, flush=True)
    return RunTable.read(options.to, runs)


def best_rates(norms: list[str], base: RunConfig, options: argparse.Namespace) -> dict[str, float]:
    """The rate of each norm at which a run ends with the lowest loss, over the pilots; a diverged run ends infinite."""
    bare = base.vary(probes=(), consecutive=(), test_every=base.steps)
    arms = {(norm, rate): bare.vary(norm=norm, lr=rate) for norm in norms for rate in RATES}
    table = made([dataclasses.replace(arm, seed=seed) for arm in arms.values() for seed in CHOSEN_ON], options)

    def loss(norm: str, rate: float) -> float:
        found = table.values(arms[norm, rate], "train", "loss")[:, -LAST:].mean()
        return float(np.nan_to_num(found, nan=np.inf))

    return {norm: min(RATES, key=functools.partial(loss, norm)) for norm in norms}


def at_own_rates(options: argparse.Namespace) -> tuple[Findings, dict[str, float]]:
    """The claims' findings where each network of the scale's rate is replaced by the one at its own best rate."""
    what = planned(CHANGES["as it is"], options)
    base, runs = what.bases["vgg"], runs_of_claims(what)
    replaced = [
        run for run in runs if _like(run) == _like(base) and run["norm"] in LABELS
    ]  # the paper's seven networks
    rates = best_rates(list(dict.fromkeys(run["norm"] for run in replaced)), base, options)
    actual = {run: run.vary(lr=rates[run["norm"]]) if run in replaced else run for run in runs}
    table = made(list(actual.values()), options)
    return decided(what, RunTable({run: table.runs[own] for run, own in actual.items() if own in table.runs})), rates


def _like(run: RunConfig) -> tuple[object, ...]:
    return run.model, run.data, run["lr"]


def page(options: argparse.Namespace, columns: Mapping[str, Findings], rates: Mapping[str, float]) -> list[str]:
    """The table of verdicts, what moved in words, and the effects."""
    first, *others = columns
    notes: list[str] = []
    for name in others:
        same, opened, otherwise = agreement(columns[first], columns[name])
        _, new, _ = agreement(columns[name], columns[first])
        told = {"open here": opened, "turned round": otherwise, "decided here alone": new}
        words = "; ".join(f"{what}: {', '.join(claims) or 'none'}" for what, claims in told.items())
        notes.append(f"- {name}: {len(same)} verdicts stay; {words}.")
    if rates:
        notes.append(f"- {BEST}: " + ", ".join(f"{norm} {rate:g}" for norm, rate in rates.items()) + ".")
    command = f"python benchmarks/verdicts/sensitivity.py --scale {options.scale} --seeds {options.seeds}"
    command += f' --first-seed {options.first_seed} --only "{",".join(columns)}"'
    facts = {"scale": SCALES[options.scale].about, "seeds": f"{options.seeds} from {options.first_seed} on"}
    return [
        *header("What the verdicts depend on", command, facts),
        *verdict_table(columns),
        "",
        *notes,
        "",
        *effect_table(columns),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scale", default="smoke", choices=list(SCALES))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--steps", type=int, help="of each run; the scale's own by default")
    parser.add_argument("--only", default=",".join([*CHANGES, BEST]), help="some of them")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--to", type=Path, default=Path("runs/sensitivity"))
    parser.add_argument("--page", type=Path, default=Path("results/sensitivity.md"))
    parser.add_argument("--page-only", action="store_true", help="by the runs that are there")
    options = parser.parse_args()
    columns: dict[str, Findings] = {}
    rates: dict[str, float] = {}
    for name in options.only.split(","):
        if name == BEST:
            columns[name], rates = at_own_rates(options)
        else:
            what = planned(CHANGES[name], options)
            columns[name] = decided(what, made(runs_of_claims(what), options))
        write(options.page, page(options, columns, rates))


if __name__ == "__main__":
    main()
