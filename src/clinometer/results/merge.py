"""One study, made in several places, in one folder: every run verified, copied whole, and there once."""

import hashlib
import os
import shlex
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clinometer.results.compare import parts_at, rows_of
from clinometer.results.folders import whole_folder
from clinometer.store import DamagedError
from clinometer.training.files import read_json, read_sealed, write_sealed
from clinometer.training.run_folder import FILES, RUN_NAME, is_done

_FILES = (*FILES, "done.json")  # all that a finished run has
_SAME = ("study", "scale", "bases")  # what makes two folders one study


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

    Args:
        folders: The study's folders. They are only read.
        to: The folder to make.
        keep_first: Where a config has other rows in a later folder, keep those of the first.
        keep_stale: Take runs whose fingerprints (code, data, versions) differ.

    Raises:
        ValueError: if the folders hold different studies, a run is damaged, or is there twice with other rows, or
            fingerprints differ, or something is not what a run's folder holds; the message names it.
    """
    if not folders:
        raise ValueError("expected the folders of a study; found none.")
    facts = [_facts(folder) for folder in folders]
    for folder, held in zip(folders, facts, strict=True):
        differing = [name for name in _SAME if held.get(name) != facts[0].get(name)]
        if differing:
            raise ValueError(f"{folders[0]} and {folder} are different studies: they differ in {', '.join(differing)}.")
    found = Merged()
    taken: dict[str, Path] = {}
    said: dict[tuple[str, ...], tuple[str, Path]] = {}  # a part of a fingerprint to its value, and a run that has it
    with whole_folder(to) as merged:
        for run in (run for folder in folders for run in _runs(folder)):
            if not is_done(run):
                found.unfinished += 1
                continue
            copy = merged / "runs" / (run.name if run.name not in taken else f"{run.name}.again")
            _copy(run, copy)
            if run.name in taken:
                _settle(run, taken[run.name], copy, found, keep_first)
                continue
            if not keep_stale:
                _check_fingerprint(run, copy, said)
            taken[run.name] = run
            found.copied += 1
        write_sealed(merged / "study.json", _together(facts, folders, to))
    return found


def _facts(folder: Path) -> dict[str, Any]:
    try:
        return read_sealed(folder / "study.json")
    except (OSError, ValueError) as error:
        raise ValueError(f"{folder} holds no clinometer study: {error}.") from error


def _runs(study: Path) -> Iterator[Path]:
    """The folders in a study's `runs/`; what lies beside them, as the log of a failure does, is left out."""
    within = study / "runs"
    if within.is_symlink() or not within.is_dir():
        raise ValueError(f"{within} is not a folder; expected that of a study's runs.")
    for path in sorted(within.iterdir()):
        if path.is_symlink() or (path.is_dir() and not RUN_NAME.fullmatch(path.name)):
            raise ValueError(f"{path} is no run: expected a folder named by 16 hexadecimal digits. Take it away.")
        if path.is_dir():
            yield path


def _copy(run: Path, to: Path) -> None:
    """Copy a run's files, and hold the copies against what they were when the run was done."""
    to.mkdir(parents=True)
    digests = {name: _copy_file(run / name, to / name) for name in _FILES}
    try:
        kept = read_sealed(to / "done.json")["files"]
        damaged = [name for name in FILES if digests[name] != kept[name]]
    except (ValueError, TypeError, LookupError):
        damaged = ["done.json"]
    if damaged:
        raise DamagedError(f"the run in {run} is damaged: {', '.join(damaged)} is not what was written.")


def _copy_file(file: Path, to: Path) -> str:
    """Copy a file that is no link, and return the digest of what was copied."""
    digest = hashlib.sha256()
    if file.is_symlink() or not file.is_file():
        raise ValueError(f"{file} is not a plain file; a run that is done has {', '.join(_FILES)}.")
    # The file may become a link after it was looked at.
    with os.fdopen(os.open(file, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0)), "rb") as source, to.open("xb") as copy:
        while part := source.read(1 << 20):
            digest.update(part)
            copy.write(part)
    return digest.hexdigest()


def _settle(run: Path, earlier: Path, copy: Path, found: Merged, keep_first: bool) -> None:
    """Decide about a run whose config was met before, and throw its copy away."""
    differs = parts_at(rows_of(copy.with_name(run.name)), rows_of(copy))
    if differs is not None and not keep_first:
        raise ValueError(
            f"{earlier} and {run} have the same config and different rows, from step {differs} on. "
            "Compare the studies, and pass --keep first to take those of the first."
        )
    found.equal += differs is None
    found.kept += differs is not None
    shutil.rmtree(copy)


def _check_fingerprint(run: Path, copy: Path, said: dict[tuple[str, ...], tuple[str, Path]]) -> None:
    """What a run's fingerprint says must be what others say of the same; of another data set they say nothing."""
    try:
        parts = dict(_leaves(read_json(copy / "environment.json").get("fingerprint", {})))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{run / 'environment.json'} cannot be read: {error}") from error
    differing = {part: said[part] for part, value in parts.items() if part in said and said[part][0] != value}
    if differing:
        _, other = next(iter(differing.values()))
        names = ", ".join(f"{' '.join(part)} ({held[0]}, and {parts[part]})" for part, held in differing.items())
        raise ValueError(
            f"{other} and {run} were not made with the same code, data and versions: they differ in {names}. "
            "Their numbers may not be comparable; pass --stale keep to take them all the same."
        )
    for part, value in parts.items():
        said.setdefault(part, (value, run))


def _leaves(value: Any, before: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _leaves(inner, (*before, str(name)))
    else:
        yield before, str(value)


def _together(facts: Sequence[Mapping[str, Any]], folders: Sequence[Path], to: Path) -> dict[str, Any]:
    """What was asked for in all folders: every figure that one asked for, and as many seeds as any."""
    asked = [str(held.get("only") or "") for held in facts]
    seeds = [held["seeds"] for held in facts if isinstance(held.get("seeds"), int)]
    names = dict.fromkeys(name for only in asked for name in only.split(","))
    command = shlex.join(["clinometer", "merge", *map(str, folders), "--to", str(to)])
    return {
        **facts[0],
        "only": ",".join(names) if all(asked) else "",
        "seeds": max(seeds, default=None),
        "command": command,
        "merged": [held.get("command") for held in facts],
    }
