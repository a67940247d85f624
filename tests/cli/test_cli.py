"""The command line as a user meets it: processes of their own, their exit statuses, and files."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
import warm

from clinometer.papers import find_papers
from clinometer.training.files import write_json
from clinometer.training.run_folder import finish
from clinometer.training.study_file import write_study


def clinometer(*words: str, cwd: Path, **env: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("CLINOMETER_")}
    return warm.run(
        ["-m", "clinometer.cli", *words],
        cwd=cwd,
        env=clean | {"CLINOMETER_CACHE": str(cwd / "cache")} | env,
        timeout=600,
    )


def snapshot(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


SMALL = ("reproduce", "santurkar2018", "--only", "F2", "--seeds", "2", "--to", "out")


@pytest.fixture(scope="module")
def reproduced(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seeds of one figure on digits, made from nothing."""
    folder = tmp_path_factory.mktemp("reproduced")
    first = clinometer(*SMALL, cwd=folder)
    assert first.returncode == 0, first.stderr
    assert "2 of 2 runs done" in first.stdout
    return folder / "out"


def test_reproduce_from_nothing_and_again(reproduced: Path, tmp_path: Path) -> None:
    """The promised files are there, and a second call trains nothing: each file of the runs is as it was."""
    out = shutil.copytree(reproduced, tmp_path / "out")
    claims = json.loads((out / "claims.json").read_text())
    assert [claim["id"] for claim in claims] == ["F2"]
    assert {claim["n"] for claim in claims} == {2}
    for name in (
        "report.html",
        "figures/theorem_4_1_in_training.svg",
        "figures/theorem_4_1_in_training.png",
        "study.json",
    ):
        assert (out / name).stat().st_size
    runs = snapshot(out / "runs")
    again = clinometer(*SMALL, cwd=tmp_path)
    assert again.returncode == 0
    assert "2 of 2 runs done (2 found)" in again.stdout
    assert snapshot(out / "runs") == runs
    assert json.loads((out / "claims.json").read_text()) == claims

    (out / "claims.json").unlink()
    report = clinometer("report", "out", cwd=tmp_path)
    assert report.returncode == 0
    assert json.loads((out / "claims.json").read_text()) == claims

    some = min((out / "runs").iterdir())
    facts = json.loads((some / "environment.json").read_text())
    facts["fingerprint"]["torch"] = "1.0"
    write_json(some / "environment.json", facts)
    finish(some)
    before = snapshot(out / "runs")
    refused = clinometer(*SMALL, cwd=tmp_path)
    assert refused.returncode == 2
    assert "1 of the 2 finished runs in out" in refused.stderr
    assert f"torch: 1.0, now {torch.__version__}" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert snapshot(out / "runs") == before
    assert clinometer(*SMALL, "--stale", "keep", cwd=tmp_path).returncode == 0
    assert snapshot(out / "runs") == before

    before = snapshot(out)
    other = clinometer("reproduce", "santurkar2018", "--scale", "laptop", "--to", "out", cwd=tmp_path)
    assert other.returncode == 2, "CIFAR-10 is not there"
    assert snapshot(out) == before


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (
            ["reproduce", "santurkar2019"],
            f"no paper 'santurkar2019'; there are {', '.join(find_papers())}. Did you mean",
        ),
        (["reproduce", "santurkar2018", "--scale", "smok"], "Did you mean 'smoke'"),
        (["reproduce", "santurkar2018", "--scale", "[/red]"], "no scale '[/red]'"),
        (
            ["reproduce", "santurkar2018", "--only", "figure_4"],
            "no figure, claim or theorem 'figure_4'; there are figure_01",
        ),
        (["reproduce", "santurkar2018", "--only", "theorem_41"], "lemma_4_5. Did you mean 'theorem_4_1'?"),
        (
            ["check", "santurkar2019"],
            f"no paper 'santurkar2019'; there are {', '.join(find_papers())}. Did you mean",
        ),
        (["check", "santurkar2018", "--only", "lemma_45"], "there are fact_c_1, theorem_4_1, theorem_4_2_part_1"),
        (["check", "santurkar2018", "--only", "figure_01"], "no theorem 'figure_01'"),
        (["check", "santurkar2018", "--cases", "0"], "--cases must be at least 1; found 0"),
        (["check", "santurkar2018", "--seed", "-1"], "--seed must lie in [0, 2⁶³); found -1"),
        (["reproduce", "santurkar2018", "--seeds", "0"], "--seeds must be at least 1; found 0"),
        (["reproduce", "santurkar2018", "--jobs", "0"], "--jobs must be at least 1; found 0"),
        (["reproduce", "santurkar2018", "--per-device", "0"], "--per-device must be at least 1; found 0"),
        (["reproduce", "santurkar2018", "--retries", "-1"], "--retries must be at least 0; found -1"),
        (["reproduce", "santurkar2018", "--on", "rya"], "--on must be ray, or ray://head:10001"),
        (["reproduce", "santurkar2018", "--on", "ray", "--per-device", "2"], "do not go with --on"),
        (["reproduce", "santurkar2018", "--gpus-per-run", "0.25"], "say --on ray, too"),
        (["reproduce", "santurkar2018", "--checkpoint-every", "0"], "must be a positive number of seconds; found 0"),
        (["reproduce", "santurkar2018", "--scale", "laptop"], "set CLINOMETER_DATA"),
        (["reproduce", "santurkar2018", "--scale", "laptop", "--data", "nowhere"], "no folder 'nowhere'"),
        (["reproduce", "santurkar2018", "--scale", "laptop", "--data", "broken"], "is not a readable Parquet file"),
        (["reproduce", "santurkar2018", "--scale", "laptop", "--data", "occupied"], "no train*.parquet in 'occupied'"),
        (["reproduce", "santurkar2018", "--device", "cuda:7"], "--device cuda:7 cannot be used"),
        (["reproduce", "santurkar2018", "--device", "gpu"], "--device gpu cannot be used"),
        (
            ["reproduce", "santurkar2018", "--to", "occupied"],
            "did not make; `clinometer reproduce --to` takes a new",
        ),
        (
            ["reproduce", "santurkar2018", "--to", "occupied/thesis.txt"],
            "thesis.txt is a file; `clinometer reproduce --to`",
        ),
        (["reproduce", "santurkar2018", "--to", "other"], "holds another study (ioffe2015 at scale smoke"),
        (
            ["report", "occupied"],
            "clinometer did not make; `clinometer report` takes",
        ),
        (["report", "other"], "no paper 'ioffe2015'"),
        (["report", "bare"], "no scale 'None'"),
        (
            ["watch", "nowhere", "--once"],
            "nowhere is missing: `clinometer watch` takes the folder of a Recorder or one run of a study",
        ),
        (
            ["watch", "occupied", "--once"],
            "that clinometer did not make; `clinometer watch` takes",
        ),
        (["watch", "occupied/thesis.txt"], "occupied/thesis.txt is a file; `clinometer watch` takes"),
        (["watch", "nowhere", "--every", "0"], "--every must be a positive number of seconds; found 0.0"),
    ],
)
def test_bad_input_is_one_error_and_changes_nothing(tmp_path: Path, words: list[str], expected: str) -> None:
    """Status 2, one line that says what to do, no traceback, and every file as it was."""
    (tmp_path / "occupied").mkdir()
    (tmp_path / "occupied" / "thesis.txt").write_text("years of work")
    (tmp_path / "other").mkdir()
    write_study(tmp_path / "other", {"study": "ioffe2015", "scale": "smoke", "base": {}})
    (tmp_path / "bare").mkdir()
    write_study(tmp_path / "bare", {"study": "santurkar2018"})
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "train.parquet").write_bytes(b"PAR1 and then nothing of the kind PAR1")
    before = snapshot(tmp_path)
    result = clinometer(*words, cwd=tmp_path)
    assert result.returncode == 2, result.stdout + result.stderr
    assert expected in result.stderr
    assert "Traceback" not in result.stderr
    assert snapshot(tmp_path) == before


@pytest.mark.parametrize(
    "words",
    [
        ["reprduce"],
        ["reproduce"],
        ["reproduce", "santurkar2018", "--sedes", "3"],
        ["reproduce", "santurkar2018", "--stale", "mix"],
    ],
)
def test_a_mistyped_command_is_status_2(tmp_path: Path, words: list[str]) -> None:
    """Left to the parser, which suggests; the status is ours to keep."""
    result = clinometer(*words, cwd=tmp_path)
    assert result.returncode == 2
    assert "Traceback" not in result.stderr


def test_check_verifies_every_theorem(tmp_path: Path) -> None:
    """Status 0, with each theorem's print, truth, cases and worst error in the table; and nothing is left on disk."""
    result = clinometer("check", "santurkar2018", "--cases", "12", "--seed", "3", cwd=tmp_path)
    assert result.returncode == 0, result.stdout + result.stderr
    for expected in ("fact_c_1", "theorem_4_2_part_2", "lemma_4_5", "printed", "true", "needs", "false"):
        assert expected in result.stdout
    assert result.stdout.count("verified") == 8
    assert " 12 " in result.stdout
    assert not snapshot(tmp_path)


def test_check_is_status_1_where_a_theorem_is_not_true(tmp_path: Path) -> None:
    """Theorem 4.1 is given the factor of its print; the table says so, and the status does."""
    code = (
        "from clinometer.papers.santurkar2018 import theorem_4_1 as t; from clinometer.cli import main\n"
        "right = t.right; t.right = lambda unit, **_: right(unit, factor=len(unit.x) ** -0.5)\n"
        "main(['check', 'santurkar2018', '--only', 'theorem_4_1', '--cases', '5'])"
    )
    result = warm.run(["-c", code], cwd=tmp_path)
    assert result.returncode == 1, result.stderr
    assert "failed" in result.stdout


def test_a_theorem_is_reproduced_without_runs_or_data(tmp_path: Path) -> None:
    """At a scale whose data are not there: theorems.json and the page are written, and nothing is run."""
    words = ("reproduce", "santurkar2018", "--scale", "paper", "--only", "theorem_c_1,lemma_4_5", "--to", "out")
    first = clinometer(*words, cwd=tmp_path)
    assert first.returncode == 0, first.stderr
    assert "runs done" not in first.stdout
    out = tmp_path / "out"
    assert sorted(path.name for path in out.iterdir()) == ["claims.json", "report.html", "study.json", "theorems.json"]
    rows = json.loads((out / "theorems.json").read_text())
    assert [row["id"] for row in rows] == ["theorem_c_1", "lemma_4_5"]
    assert {row["verdict"] for row in rows} == {"verified"}
    page = (out / "report.html").read_text()
    assert "<h2>Theorems</h2>" in page
    assert "<h2>Claims</h2>" not in page
    assert rows[0]["printed"] in page
    (out / "theorems.json").unlink()
    assert clinometer("report", "out", cwd=tmp_path).returncode == 0
    again = json.loads((out / "theorems.json").read_text())  # the last digits depend on where memory is aligned
    assert [(row["id"], row["verdict"], row["true"]) for row in again] == [
        (row["id"], row["verdict"], row["true"]) for row in rows
    ]


def test_an_interruption_keeps_what_is_done(tmp_path: Path) -> None:
    """Ctrl-C reaches the whole group, as from a terminal: one calm line, status 130, and no run marked as done."""
    words = [sys.executable, "-m", "clinometer.cli", "reproduce", "santurkar2018", "--only", "C7", "--to", "out"]
    started = subprocess.Popen(
        words, cwd=tmp_path, start_new_session=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    end = time.monotonic() + 300
    while not list(tmp_path.glob("out/runs/*/rows.sqlite")):
        assert time.monotonic() < end
        time.sleep(0.05)
    os.killpg(started.pid, signal.SIGINT)
    out, _ = started.communicate(timeout=300)
    assert started.returncode == 130
    assert "the same command goes on from there" in out
    assert "Traceback" not in out


def test_list_and_help(tmp_path: Path) -> None:
    """What there is, by name: few lines a paper, all parts of one, and a name that is misspelt is bad input."""
    every, one, none = (clinometer("list", *names, cwd=tmp_path) for names in ([], ["santurkar2018"], ["santurkar"]))
    assert (every.returncode, one.returncode, none.returncode) == (0, 0, 2)
    blocks = every.stdout.split("\n\n")
    assert "santurkar2018: How Does Batch Normalization Help Optimization?" in blocks[0]
    assert "learning_rates" in blocks[1]
    assert "figure_04" not in every.stdout
    for name in ("--scale laptop", "read of it: the full text", "figure_04", "C9", "theorem_4_2_part_1", "lemma_4_5"):
        assert name in one.stdout
    assert "no paper 'santurkar'; there are santurkar2018" in none.stderr
    assert "reproduce" in clinometer("--help", cwd=tmp_path).stdout


def test_a_study_whose_runs_fail_is_status_1_and_still_reported(reproduced: Path, tmp_path: Path) -> None:
    """The run folder is made a file, so no run can begin: each is named, the page is written, nothing is decided."""
    out = shutil.copytree(reproduced, tmp_path / "out")
    runs = sorted((out / "runs").iterdir())
    for path in runs[0].iterdir():
        path.unlink()
    runs[0].rmdir()
    runs[0].write_text("in the way")
    result = clinometer(*SMALL, cwd=tmp_path)
    assert result.returncode == 1
    assert "failed:" in result.stdout
    assert "FileExistsError" in (out / "report.html").read_text()
