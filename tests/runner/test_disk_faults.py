"""Studies on disks that are full, or that nothing can be written to."""

import errno
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from disks import Disk, disk
from faults import read, same

from clinometer.training.run_folder import is_done, verify

# The paper with networks and runs that take no time, and any number of commands, each with its status on a line.
COMMANDS = """
import dataclasses, json, sys
from clinometer import cli, load
from clinometer.papers.santurkar2018 import definition
whole = definition.STUDY
smoke = whole.scales["smoke"]
small = dict(width=1 / 16, steps=40, measure_every=20, test_every=20)
bases = {**smoke.bases, "vgg": smoke.bases["vgg"].vary(**small)}
definition.STUDY = dataclasses.replace(
    whole, scales={"smoke": dataclasses.replace(smoke, make_bases=lambda: bases)})
for words in json.loads(sys.argv[1]):
    if words[0] == "load":
        print(dict(load(words[1]).landscape_loss.sizes))
        continue
    try:
        cli.main(words)
    except SystemExit as ended:
        print(f"status {ended.code}", flush=True)
        print(f"status {ended.code}", file=sys.stderr, flush=True)
"""
MAKE = ["reproduce", "santurkar2018", "--only", "figure_02", "--seeds", "1", "--jobs", "1", "--to", "out"]
SAID = (  # the last is what SQLite says of a file that may not grow
    rf"error: no space is left: \[Errno ({errno.ENOSPC}|{errno.EFBIG})\] .*out/.* free space and give the same command "
    r"again\."
    rf"|error: \[Errno {errno.EIO}\] .*out/.* cannot be read or written: .*the same command goes on from there\."
)


def commands(on: Disk, *calls: Sequence[str]) -> tuple[str, str]:
    """What a process that makes these calls says, and says of errors."""
    env = os.environ | {"CLINOMETER_CACHE": str(on.path / "cache")}
    done = on.python(["-c", COMMANDS, json.dumps(calls)], env)
    assert "Traceback" not in done.stdout + done.stderr
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr


def runs(on: Disk) -> dict[str, dict[str, object]]:
    """All that the finished runs say, each of them verified."""
    with tempfile.TemporaryDirectory() as copy:  # SQLite would look for the path by which this process sees the disk
        folders = Path(shutil.copytree(on.seen / "out" / "runs", Path(copy) / "runs")).iterdir()
        done = [folder for folder in folders if is_done(folder)]
        for folder in done:
            verify(folder)
        return {folder.name: read(folder) for folder in done}


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Disk]:
    """A disk with a finished study in `out`."""
    with disk(tmp_path_factory.mktemp("disk") / "mnt") as made:
        made.allow(2**26, 2**40)
        said, wrong = commands(made, MAKE)
        assert "status 0" in said, said + wrong
        yield made


def test_a_full_disk_is_said_and_costs_nothing_that_is_done(study: Disk) -> None:
    """Two of three runs are to be made again where there is no room: status 1, one line, and the third as it was.

    With room again the same command finishes; the truth is what was there before. Then the report finds no room.
    """
    truth = runs(study)
    kept, *gone = sorted(truth)
    for name in gone:
        shutil.rmtree(study.seen / "out" / "runs" / name)
    for name in ("claims.json", "report.html"):
        (study.seen / "out" / name).unlink()
    study.allow(shutil.disk_usage(study.seen).used + 20_000, 30_000)
    said, wrong = commands(study, MAKE)
    assert said.endswith("status 1\n")
    assert_stopped(study, wrong)
    assert runs(study).keys() == {kept}
    study.allow(2**26, 2**40)
    said, wrong = commands(study, MAKE)
    assert said.endswith("status 0\n"), said + wrong
    assert "3 of 3 runs done (1 found)" in said
    assert same(runs(study), truth)

    page = (study.seen / "out" / "report.html").read_bytes()
    (study.seen / "out" / "claims.json").unlink()
    (study.seen / "out" / "figures" / "figure_02.svg").unlink()
    study.allow(shutil.disk_usage(study.seen).used + 20_000, 20_000)
    said, wrong = commands(study, ["report", "out"])
    assert said.endswith("status 1\n")
    assert_stopped(study, wrong)
    assert (study.seen / "out" / "report.html").read_bytes() == page
    assert not (study.seen / "out" / "figures" / "figure_02.svg").exists()
    study.allow(2**26, 2**40)


def assert_stopped(on: Disk, wrong: str) -> None:
    assert not list(on.seen.rglob("*.partial"))
    line, *rest = wrong.splitlines()
    assert rest == ["status 1"]
    assert re.fullmatch(SAID, line), line


def test_a_read_only_folder_is_read_and_not_written(study: Disk, tmp_path: Path) -> None:
    """What reads works as before; what writes says at once that it cannot, with status 2, before any work.

    One run is not done, so that there would be work.
    """
    out = study.seen / "out"
    left = min((out / "runs").iterdir())
    (left / "done.json").unlink()
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*")}
    study.read_only()
    if os.access(out, os.W_OK):
        pytest.skip("root writes to any folder, and a namespace with a read-only one is not to be had here")
    said, wrong = commands(
        study,
        MAKE,
        ["report", "out"],
        ["status", "out"],
        ["compare", "out", "out"],
        ["export", "out", "--to", str(tmp_path / "tables")],
        ["load", "out"],
    )
    assert re.findall(r"^status (\d)", said, re.MULTILINE) == ["2", "2", "0", "0", "0"]
    refusals = [line for line in wrong.splitlines() if line.startswith("error")]
    assert len(refusals) == 2
    assert "study.json" in refusals[0]
    assert "out cannot be written to. Name another place with --to." in refusals[1]
    assert "out: 3 runs: " in said
    assert "2 done" in said
    assert "1 interrupted" in said
    assert "2 runs in common, 2 of them identical" in said
    assert "'norm': 2" in said
    assert (tmp_path / "tables" / "landscape.parquet").is_file()
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*")} == before
