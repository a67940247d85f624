"""Merges the folders of one study that was made in several places: every run verified, copied whole, and there once."""

import os
import shlex
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clinometer.results.compare import parts_at
from clinometer.results.finished_run import FinishedRun, find_runs, reading
from clinometer.results.folders import whole_folder
from clinometer.results.look_file import read_looks, union, write_looks
from clinometer.results.rule_file import merged_rules, read_rules, write_rules
from clinometer.training.run_folder import FILES, RUN_NAME, is_done, verify
from clinometer.training.study_file import read_study, write_study

_FILES = (*FILES, "done.json")  # all that a finished run has
_SAME = ("study", "scale", "bases", "first_seed")  # what makes two folders one study


@dataclass
class Merged:
    """What became of the runs."""

    copied: int = 0
    equal: int = 0  # found in another folder already, with the same rows
    kept: int = 0  # found in another folder already, with other rows, and left out
    unfinished: int = 0  # left out

    def __str__(self) -> str:
        return (
            f"{self.copied} runs, {self.equal} of them found twice and equal, {self.kept} found with other rows and "
            f"the first kept; {self.unfinished} unfinished left out."
        )


def merge(folders: Sequence[Path], to: Path, *, keep_first: bool = False, keep_stale: bool = False) -> Merged:
    """Put the finished runs of several folders of one study into a new one: all of them, or nothing.

    Of a run only its four files are taken, none of them through a link, and each is held against the digest in
    `done.json` after it was copied. Reports, claims and figures are not taken: `clinometer report` makes them again.
    The new folder knows of all looks at the claims, and of each claim's rules the one that was recorded first.

    Args:
        folders: The study's folders. They are only read.
        to: The folder to make.
        keep_first: Where a config has other rows in a later folder, keep those of the first.
        keep_stale: Take runs whose fingerprints (code, data, versions) differ.

    Raises:
        ValueError: if the folders hold different studies, a run is damaged, or is there twice with other rows, or
            fingerprints differ, or something is not what a run's folder holds, or `looks.json` or `rules.json` is
            damaged; the message names it.
    """
    if not folders:
        raise ValueError("expected the folders of a study; found none.")
    facts = [read_study(folder) for folder in folders]
    for folder, held in zip(folders, facts, strict=True):
        differing = [name for name in _SAME if held.get(name) != facts[0].get(name)]
        if differing:
            raise ValueError(f"{folders[0]} and {folder} are different studies: they differ in {', '.join(differing)}.")
    found = Merged()
    taken: dict[str, FinishedRun] = {}
    made_with: dict[tuple[str, ...], tuple[str, Path]] = {}  # a part of a fingerprint to its value and a run with it
    looks, rules = [read_looks(folder) for folder in folders], [read_rules(folder) for folder in folders]
    seeds: list[int | None] = []  # the largest of each folder
    with whole_folder(to) as merged:
        for study in folders:
            _check_only_runs(study)
            runs = find_runs(study)
            found.unfinished += len(runs.unfinished)
            intact = runs.intact()
            seeds.append(max((run.config["seed"] for run in intact), default=None))
            for run in intact:
                name = run.folder.name
                if name in taken:
                    _count_again(found, taken[name], run, keep_first)
                    continue
                if not keep_stale:
                    _check_fingerprint(run, made_with)
                _copy(run.folder, merged / "runs" / name)
                taken[name] = run
                found.copied += 1
        if any(looks):
            write_looks(merged, union(*looks))
        if any(rules):
            write_rules(merged, merged_rules(list(zip(rules, seeds, strict=True))))
        write_study(merged, _together(facts, folders, to))
    return found


def _check_only_runs(study: Path) -> None:
    """ValueError unless `runs/` holds folders of runs, without links, beside plain files such as a failure's log."""
    within = study / "runs"
    if within.is_symlink() or not within.is_dir():
        raise ValueError(f"{within} is not a folder; expected that of a study's runs.")
    for path in sorted(within.iterdir()):
        if path.is_symlink() or (path.is_dir() and not RUN_NAME.fullmatch(path.name)):
            raise ValueError(f"{path} is no run: expected a folder named by 16 hexadecimal digits. Take it away.")
        if path.is_dir() and is_done(path):
            for name in _FILES:
                _check_plain(path / name)


def _check_plain(file: Path) -> None:
    if file.is_symlink() or not file.is_file():
        raise ValueError(f"{file} is not a plain file; a run that is done has {', '.join(_FILES)}.")


def _copy(run: Path, to: Path) -> None:
    """Copy a run's files, and compare the copies with the digests in `done.json`."""
    to.mkdir(parents=True)
    for name in _FILES:
        _check_plain(run / name)
        # The file may become a link after this look.
        descriptor = os.open(run / name, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0))
        with os.fdopen(descriptor, "rb") as source, (to / name).open("xb") as copy:
            shutil.copyfileobj(source, copy, 1 << 20)
    verify(to)


def _count_again(found: Merged, first: FinishedRun, again: FinishedRun, keep_first: bool) -> None:
    """Count a run whose config another folder has too; ValueError if its rows differ, unless the first's are kept."""
    differs = parts_at(first.rows(), again.rows())
    if differs is not None and not keep_first:
        raise ValueError(
            f"{first.folder} and {again.folder} have the same config and different rows, from step {differs} on. "
            "Compare the studies, and pass --keep first to take those of the first."
        )
    found.equal += differs is None
    found.kept += differs is not None


def _check_fingerprint(run: FinishedRun, made_with: dict[tuple[str, ...], tuple[str, Path]]) -> None:
    """ValueError if a part of a run's fingerprint differs from that of an earlier run which has it, too."""
    with reading(run.folder):
        parts = dict(_leaves(run.environment.get("fingerprint", {})))
    differing = {part: made_with[part] for part, of in parts.items() if part in made_with and made_with[part][0] != of}
    if differing:
        _, other = next(iter(differing.values()))
        names = ", ".join(f"{' '.join(part)} ({held[0]}, and {parts[part]})" for part, held in differing.items())
        raise ValueError(
            f"{other} and {run.folder} were not made with the same code, data and versions: they differ in {names}. "
            "Their numbers may not be comparable; pass --stale keep to take them all the same."
        )
    for part, value in parts.items():
        made_with.setdefault(part, (value, run.folder))


def _leaves(value: Any, before: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _leaves(inner, (*before, str(name)))
    else:
        yield before, str(value)


def _together(facts: Sequence[Mapping[str, Any]], folders: Sequence[Path], to: Path) -> dict[str, Any]:
    """What was asked for in all folders: every figure that one asked for, and as many seeds as any, claim by claim."""
    asked = [str(held.get("only") or "") for held in facts]
    seeds = [held["seeds"] for held in facts if isinstance(held.get("seeds"), int)]
    of_claims = [(name, count) for held in facts for name, count in held.get("claim_seeds", {}).items()]
    names = dict.fromkeys(name for only in asked for name in only.split(","))
    command = shlex.join(["clinometer", "merge", *map(str, folders), "--to", str(to)])
    return {
        **facts[0],
        "only": ",".join(names) if all(asked) else "",
        "seeds": max(seeds, default=None),
        "claim_seeds": {name: max(count for claim, count in of_claims if claim == name) for name, _ in of_claims},
        "command": command,
        "merged": [held.get("command") for held in facts],
    }
