"""What goes wrong with studies, done on purpose: `python tests/faults.py --kills 500` does more of it than the tests.

A study is made by a process of its own, which is killed, or its runs are, or the server that forks them; it is started
again until it is done. What must come out is what comes out undisturbed, bit for bit.
"""

import argparse
import contextlib
import random
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from parents import Parent, StartedParent, family, kill
from properties import without_when

from clinometer import Store
from clinometer.papers.santurkar2018.configs import deep_linear, vgg
from clinometer.runner.records import read_records
from clinometer.runner.scheduler import run_all
from clinometer.training.config import RunConfig, grid
from clinometer.training.run_folder import is_done, run_folder, verify

_SMALL = vgg(width=1 / 16, steps=60, measure_every=12, test_every=30)
CONFIGS = [
    *grid(_SMALL, norm=["noisy_batch"], seed=range(3)),
    *grid(_SMALL, momentum=[0.9], seed=range(3)),
    *grid(deep_linear(samples=60, steps=100, measure_every=50), seed=range(2)),
]
FIFTY = {"run": 42, "parent": 5, "server": 3}  # on what SIGKILLs fall; a parent takes seconds to start
TWELVE = {"run": 9, "parent": 2, "server": 1}


def victims(kills: int, seed: int, shares: Mapping[str, int]) -> list[str]:
    """So many kinds of processes, in their shares, in an order drawn from the seed."""
    kinds = [kind for kind, share in shares.items() for _ in range(share)]
    chance = random.Random(seed)
    drawn = kinds * (kills // len(kinds)) + chance.sample(kinds, kills % len(kinds))
    chance.shuffle(drawn)
    return drawn


def killed(
    study: Path, kinds: Iterable[str], seed: int = 0, start: Callable[[Path], Parent] = StartedParent
) -> Counter[str]:
    """Make the study while SIGKILLs fall on its processes, one for each of these kinds; how many fell on which.

    A run that was seen to be done is never made again. If it is all done before its time, some of it is deleted.
    """
    chance = random.Random(seed)
    found: Counter[str] = Counter()
    done: dict[RunConfig, int] = {}
    process = start(study)
    for kind in kinds:
        fell = False
        while not fell:
            time.sleep(chance.uniform(0.01, 0.15))
            if process.poll() is not None:
                status, printed = process.finish()
                assert status == 0, printed
                check_acknowledged(study, done)
                forget(study, done, chance)
                process = start(study)
            members = family(process.pid)
            # A parent would be killed for ever before it has done anything, if it were killed before it has a run.
            fell = bool(members["run"]) and kill(chance.choice(members[kind]))
        found[kind] += 1
        if kind == "parent":
            process.finish()
            process = start(study)
        check_acknowledged(study, done)
    status, printed = process.finish(timeout=600)
    assert status == 0, printed
    check_acknowledged(study, done)
    return found


def check_acknowledged(study: Path, done: dict[RunConfig, int]) -> None:
    """What was done stays as it is; remember what is done now."""
    for config in CONFIGS:
        file = run_folder(study, config) / "done.json"
        if config in done:
            assert file.stat().st_mtime_ns == done[config], f"{config} was made again"
        elif file.is_file():
            done[config] = file.stat().st_mtime_ns


def check_records(study: Path) -> None:
    """There is a record of every run, and of no other, and each says that the run is done."""
    records, damaged = read_records(study)
    assert not damaged
    assert records.keys() == {config.key for config in CONFIGS}
    assert {record.state for record in records.values()} == {"done"}
    assert all(record.starts > 0 for record in records.values())


def forget(study: Path, done: dict[RunConfig, int], chance: random.Random) -> None:
    """Let half of the runs be made again."""
    for config in chance.sample(CONFIGS, len(CONFIGS) // 2):
        (run_folder(study, config) / "done.json").unlink(missing_ok=True)
        done.pop(config, None)


def rows(study: Path, configs: Sequence[RunConfig] = CONFIGS) -> Iterator[tuple[RunConfig, dict[str, object]]]:
    """All that the runs of a study say, verified."""
    for config in configs:
        folder = run_folder(study, config)
        assert is_done(folder), config
        verify(folder)
        yield config, read(folder)


def read(folder: Path) -> dict[str, object]:
    """All that a run says."""
    with contextlib.closing(Store(folder / "rows.sqlite", read_only=True)) as store:
        return {probe: store.read(probe) for probe in store.probes()} | {"meta": without_when(store.meta)}


def same(one: object, other: object) -> bool:
    """Equality to the bit, NaN being NaN."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, np.ndarray) and isinstance(other, np.ndarray):
        return one.dtype == other.dtype and one.shape == other.shape and one.tobytes() == other.tobytes()
    return one == other


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        began = time.monotonic()
        truth, tried = Path(folder, "whole"), Path(folder, "killed")
        run_all(CONFIGS, truth)
        fell = killed(tried, victims(asked.kills, asked.seed, FIFTY), asked.seed)
        check_records(tried)
        equal = [same(one, other) for (_, one), (_, other) in zip(rows(truth), rows(tried), strict=True)]
        said = ", ".join(f"{count} on a {kind}" for kind, count in fell.items())
        print(f"{fell.total()} SIGKILLs ({said}); {sum(equal)} of {len(equal)} runs equal to the undisturbed ones, "
              f"bit for bit; {time.monotonic() - began:.0f} s")  # fmt: skip
