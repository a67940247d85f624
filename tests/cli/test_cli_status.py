"""`clinometer status`: what it says of a study is what was done to it."""

import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from stored import keep

from clinometer import Store
from clinometer.cli import main
from clinometer.runner.records import RunRecord, record_file, write_record
from clinometer.runner.status import RunStatus, status
from clinometer.training.config import key_of
from clinometer.training.files import write_json, write_whole

HOLD = (
    "import sys; from pathlib import Path; from clinometer.runner.locks import RunLocks; "
    "print(RunLocks(Path(sys.argv[1])).acquire(sys.argv[2]), flush=True); sys.stdin.read()"
)
CONFIGS = [{"lr": 0.1, "seed": seed, "steps": 90} for seed in range(6)]
KEYS = [key_of(config) for config in CONFIGS]
TRACEBACK = "Traceback (most recent call last):\n  ...\nValueError: no [such] data\n"


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """One run in each state but running; the one that is left behind was in work here, and has rows of 31 steps."""
    study = tmp_path / "study"
    (study / "records").mkdir(parents=True)
    fields = dict(zip(KEYS[:5], CONFIGS, strict=False))
    done = keep(study, CONFIGS[5], {0: {"p": {"x": 1.0}}}).name
    failed, left, away, here, waiting = fields
    records = {key: RunRecord(key, config) for key, config in fields.items()}
    host = socket.gethostname()
    for record in (
        records[failed].started("here:1").failed(TRACEBACK),
        records[left].started(f"{host}:2").started(f"{host}:3"),
        records[here].started(f"{host}:2"),
        records[away].started("elsewhere:4"),
        records[waiting],
    ):
        write_record(study, record)
    write_whole(study / "runs" / f"{failed}.error.txt", TRACEBACK)
    for key in (left, here):
        with_rows = Store(study / "runs" / key / "rows.sqlite")
        with_rows.append(30, {"train": {"loss": 1.0}})
        with_rows.close()
    write_json(study / "runs" / left / "config.json", fields[left])
    assert done not in fields
    return study


def states(study: Path) -> dict[int, RunStatus]:
    runs, remarks = status(study)
    assert not remarks
    return {run.config.get("seed", 5): run for run in runs}


def test_every_state_is_told_and_only_a_living_process_runs(study: Path) -> None:
    """A process holds the fourth run's lock, is seen, and is killed: whatever was noted, the run is interrupted."""
    words = [sys.executable, "-c", HOLD, study, KEYS[3]]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout
        assert holder.stdout.readline() == b"True\n"
        found = states(study)
        holder.kill()
    told = ["failed", "interrupted", "running", "running", "waiting", "done"]
    assert [found[seed].state for seed in range(6)] == told
    assert states(study)[3].state == "interrupted"
    assert [found[seed].starts for seed in range(5)] == [1, 2, 1, 1, 0]
    assert (found[1].step, found[4].step, found[2].worker) == (30, None, "elsewhere:4")
    assert found[0].reason == "ValueError: no [such] data"


def test_the_command_says_it_and_writes_nothing(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Counts, where what is made, the last line of the traceback and the log's path; every file stays as it was."""
    before = {path: path.read_bytes() for path in study.rglob("*") if path.is_file()}
    with pytest.raises(SystemExit, match="0"):
        main(["status", str(study)])
    said = capsys.readouterr().out
    counted = re.search("6 runs: (.*); begun 5 times", said.replace("\n", " "))
    assert counted
    assert sorted(counted[1].split(", ")) == ["1 done", "1 failed", "1 running", "1 waiting", "2 interrupted"]
    assert "elsewhere:4" in said
    assert "31 of 90" in said
    log = study / "runs" / f"{KEYS[0]}.error.txt"
    assert f"seed 0: ValueError: no [such] data (see {log})" in said
    assert {path: path.read_bytes() for path in before} == before
    assert {path.name.rpartition("-")[2] for path in study.rglob("*") if path.is_file() and path not in before} <= {
        "wal",
        "shm",
    }, "which SQLite needs beside a store that is in use"


def test_damaged_or_lost_records_are_named_and_the_folders_tell_the_rest(study: Path) -> None:
    """Of runs that have started the states are as before; of one that has not, its record alone knew the config."""
    waiting, left = record_file(study, KEYS[4]), record_file(study, KEYS[1])
    for file in (waiting, left):
        os.truncate(file, 50)
    runs, remarks = status(study)
    assert [f"{file} is damaged" in remark for file, remark in zip(sorted((left, waiting)), remarks, strict=True)] == [
        True
    ] * 2
    assert sorted(run.state for run in runs) == ["done", "failed", "interrupted", "interrupted", "running"]
    (found,) = [run for run in runs if run.folder.name == left.stem]
    assert (found.config["seed"], found.starts, found.worker) == (1, None, "")
    for file in (study / "records").iterdir():
        file.unlink()
    runs, remarks = status(study)
    assert sorted(run.state for run in runs) == ["done", "interrupted", "interrupted"]
    assert not remarks


def test_damaged_runs_are_named(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A byte changed in the store of a run that is done and of one that waits, and a folder of another's name."""
    for seed in (1, 5):
        file = study / "runs" / KEYS[seed] / "rows.sqlite"
        data = bytearray(file.read_bytes())
        data[-5] ^= 4  # of the last row's data
        file.write_bytes(data)
    shutil.copytree(study / "runs" / KEYS[5], study / "runs" / KEYS[4])
    found = states(study)
    assert [found[seed].state for seed in (1, 4, 5)] == ["damaged"] * 3
    assert all(KEYS[seed] in found[seed].damage for seed in (1, 4, 5))
    with pytest.raises(SystemExit, match="0"):
        main(["status", str(study)])
    said = capsys.readouterr().out.replace("\n", " ")
    assert "3 damaged" in said
    assert said.count(" is damaged: ") == 3


def test_what_is_no_study_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Status 2."""
    with pytest.raises(SystemExit, match="2"):
        main(["status", str(tmp_path)])
    assert "is an empty folder; `clinometer status` takes the folder of a study." in capsys.readouterr().err
