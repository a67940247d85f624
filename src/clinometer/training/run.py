"""Trains the runs of one process, each in its folder. An interrupted run continues from its last checkpoint."""

import dataclasses
import functools
import json
import shutil
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from clinometer.store import DamagedError
from clinometer.training.as_planned import check_as_planned, note_imported
from clinometer.training.config import RunConfig
from clinometer.training.environment import environment
from clinometer.training.files import read_json, write_json
from clinometer.training.fingerprint import loaded
from clinometer.training.keeper import Keeper, TrialKeeper, TriedError
from clinometer.training.run_folder import finish, is_done
from clinometer.training.threads import use_plain_arithmetic
from clinometer.training.trainer import trainer_of, trains_seeds_together
from clinometer.training.trial import Trial

Group = tuple[RunConfig, ...]  # runs that one process makes

SECONDS = 60.0  # between checkpoints


def groups(configs: Iterable[RunConfig]) -> list[Group]:
    """Group the configs by process: each config alone, except seeds that their trainer trains together.

    Example:
        >>> [[c.seed for c in group] for group in groups([RunConfig("nets:mlp", seed=seed) for seed in (0, 1)])]
        [[0], [1]]
    """
    by_process: dict[RunConfig, list[RunConfig]] = {}
    for config in configs:
        together = trains_seeds_together(config)
        by_process.setdefault(dataclasses.replace(config, seed=0) if together else config, []).append(config)
    return [tuple(group) for group in by_process.values()]


def run(config: RunConfig, folder: Path, device: str = "cpu") -> None:
    """Make the run of `config` in `folder`, on one thread, unless it is done already."""
    run_group({config: folder}, device)


def run_group(
    folders: Mapping[RunConfig, Path],
    device: str = "cpu",
    every: float = SECONDS,
    facts: Mapping[str, Any] | None = None,
    *,
    as_planned: bool = False,
) -> None:
    """Make the runs of one of `groups`, each in its folder, on one thread; runs that are done are skipped.

    Args:
        folders: Each config's folder. No other process may write there: see `runner/locks.py`.
        device: Where to train.
        every: Seconds between checkpoints.
        facts: Contents of `environment.json`, by the config's key; `environment(device)` by default.
        as_planned: Whether this process must have the code and the data of the fingerprints in `facts`.

    Raises:
        NotAsPlannedError: if it has not, when a run begins, is to be gone on with later, or ends; it is not done then.
    """
    waiting = {config: folder for config, folder in folders.items() if not is_done(folder)}
    if not waiting:
        return
    # Before any of the runs' code is imported here.
    trials = {config: Trial(functools.partial(_attempt, config, device)) for config in waiting if _is_own(config)}
    keepers: dict[RunConfig, Keeper] = {}
    checks: list[Callable[[], None]] = []
    for config, folder in waiting.items():
        about = (facts or {}).get(config.key) or environment(device)
        data = loaded(config) if as_planned else None
        check = functools.partial(check_as_planned, about["fingerprint"], config, device, data) if data else _no_check
        check()
        checks.append(check)
        keepers[config] = Keeper(folder, every, data, check, trials.get(config))
        _prepare(config, folder, about, keepers[config])
    use_plain_arithmetic()
    began = time.monotonic()
    try:
        trainer_of(next(iter(keepers)))(keepers, device)
    finally:
        for keeper in keepers.values():
            keeper.close()
    each = (time.monotonic() - began) / len(keepers)
    for check, (config, folder) in zip(checks, waiting.items(), strict=True):
        check()
        if as_planned and facts:
            note_imported(folder, facts[config.key]["fingerprint"])
        finish(folder, _whole(each, config, keepers[config]))


def _whole(seconds: float, config: RunConfig, keeper: Keeper) -> float | None:
    """How long all steps of a run take, where those since it was last resumed took so many seconds."""
    left = config.steps - (keeper.found.step if keeper.found else 0)
    return seconds * config.steps / left if left else None


def _is_own(config: RunConfig) -> bool:
    """Whether a run has code of the user's, of which nobody knows what it keeps and where."""
    return any(module.partition(".")[0] not in ("clinometer", "torch") for module in config.modules)


def _attempt(config: RunConfig, device: str, file: Path, folder: Path) -> str:
    """Go on from a checkpoint for one step, in a process of its own; the digest of the state after it."""
    use_plain_arithmetic()
    try:
        trainer_of(config)({config: TrialKeeper(folder, file)}, device)
    except TriedError as tried:
        return tried.checkpoint.digest()
    raise RuntimeError("its trainer ended without another checkpoint")


def _no_check() -> None:
    pass


def _prepare(config: RunConfig, folder: Path, facts: Mapping[str, Any], keeper: Keeper) -> None:
    """Keep the folder if the run can continue from a checkpoint in it; else empty it and start anew.

    A run continues if its config and fingerprint are the same, on another machine too: `environment.json` then
    describes this machine, and lists the former ones under `before`.
    """
    plan, now = _plain(dataclasses.asdict(config)), _plain(facts)
    former = _read_or_empty(folder / "environment.json")
    before = former.pop("before", [])
    alike = former == now if "fingerprint" not in now else former.get("fingerprint") == now["fingerprint"]
    if not (alike and _read_or_empty(folder / "config.json") == plan and keeper.find()):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        write_json(folder / "config.json", plan)
        write_json(folder / "environment.json", now)
        return
    keeper.close()  # the run was resumed: what can be tried has been
    if former != now:
        write_json(folder / "environment.json", {**now, "before": [*before, former]})


def _plain(value: object) -> Any:
    """A value after a round trip through JSON."""
    return json.loads(json.dumps(value))


def _read_or_empty(file: Path) -> dict[str, Any]:
    """The object in a JSON file; empty if the file is missing or damaged."""
    try:
        return read_json(file)
    except (OSError, DamagedError):
        return {}
