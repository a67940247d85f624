"""`clinometer run` on a study of one's own, as its user meets it: files in, a folder and a page out."""

import contextlib
import dataclasses
import io
import json
import re
import shutil
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from clinometer.cli.app import main
from clinometer.studies.declared.reader import read
from clinometer.training.imports import FOLDER
from clinometer.training.run_folder import finish
from clinometer.training.study_file import read_study, write_study

EXAMPLE = Path(__file__).parents[2] / "examples" / "own_study" / "study.yaml"

PROGRAM = """
import torch
from torch import nn
from clinometer.studies.claims import Claim, Evidence
from clinometer.studies.comparison import above
from clinometer.studies.declared.spec import OwnStudy

def net(width, markup=""):
    return nn.Sequential(nn.Flatten(), nn.Linear(64, width), nn.ReLU(), nn.Linear(width, 10))

def data(seed):
    inputs = torch.randn(256, 64, generator=torch.Generator().manual_seed(seed))
    return inputs, inputs[:, :10].argmax(1)

def larger(runs, arms):
    losses = [runs.values(arms[name], "train", "loss").mean(1) for name in ("width 2", "width 32")]
    return Evidence((above("loss of the narrow less that of the wide", losses[0] - losses[1]),), "as it should")

STUDY = OwnStudy(
    name="width", model=net, data=data, factors={"width": [2, 32], "markup": "<script>", "lr": 1}, seeds=2, steps=20,
    probes=["headroom"],
    claims=[Claim("wide", "wider is faster", "folklore", "the loss of width 2 is larger", (), larger)],
)
"""

EVIL = """
from pathlib import Path
Path("touched").write_text("an import is a program")
"""


@dataclasses.dataclass
class Said:
    """What a command left on the screen, and its status."""

    status: Any
    out: str
    err: str


def clinometer(*words: object) -> Said:
    """A command in this process: its runs are made in others all the same."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), pytest.raises(SystemExit) as ended:
        main([str(word) for word in words])
    return Said(ended.value.code, out.getvalue(), err.getvalue())


@pytest.fixture(scope="module", autouse=True)
def _at_home() -> Generator[None]:
    """The processes' environment and modules, as they were."""
    path, modules = list(sys.path), set(sys.modules)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(FOLDER, "")
        yield
    sys.path[:] = path
    for name in {"nets", "program"} - modules:
        sys.modules.pop(name, None)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the worked example, shortened, with a single learning rate."""
    folder = tmp_path_factory.mktemp("own") / "dropout"
    said = clinometer("run", EXAMPLE, "--steps", 20, "--seeds", 2, "--to", folder)
    assert said.status == 0, said.out + said.err
    assert "4 of 4 runs done" in said.out
    return folder


def test_the_example_makes_a_report(made: Path) -> None:
    """The promised files, with the two arms by name, the claim decided at n = 2, and the figures."""
    (claim,) = json.loads((made / "claims.json").read_text())
    assert (claim["id"], claim["n"]) == ("smoother", 2)
    assert claim["verdict"] in ("holds", "fails", "undecided")
    page = (made / "report.html").read_text()
    for expected in ("dropout 0<", "dropout 0.5<", "landscape.beta", "headroom.loss", "test.accuracy", "--steps 20"):
        assert expected in page
    for figure in ("training", "landscape", "headroom"):
        assert (made / "figures" / f"{figure}.svg").stat().st_size
        assert f'<figure class="chart" id="{figure}">' in page


def test_the_example_with_one_seed(tmp_path: Path) -> None:
    """As a user gives it: status 0, an undecided claim and its reason, in the table and on the page."""
    said = clinometer("run", EXAMPLE, "--steps", 20, "--seeds", 1, "--verbose", "--to", tmp_path / "out")
    assert said.status == 0, said.out + said.err
    assert "[no interval] (rule: below 1), n = 1" in " ".join(said.out.split())
    assert "An interval needs at least two seeds." in (tmp_path / "out" / "report.html").read_text()


def test_more_values_and_seeds_reuse_what_exists(made: Path, tmp_path: Path) -> None:
    """By the count of the runs that were found, and by the bytes of their rows."""
    made = shutil.copytree(made, tmp_path / "more")
    rows = {path: path.read_bytes() for path in made.glob("runs/*/rows.sqlite")}
    said = clinometer("run", EXAMPLE, "--steps", 20, "--seeds", 3, "--lr", "0.1", "2e-1", "--dropout", 0, "--to", made)
    assert said.status == 0, said.out + said.err
    assert "6 of 6 runs done (2 found)" in said.out
    assert {path: path.read_bytes() for path in rows} == rows
    assert "This study has no arm with dropout 0.5." in (made / "claims.json").read_text()
    assert "lr 0.2" in (made / "report.html").read_text()


def test_runs_of_different_making_are_said_to_be_mixed(made: Path, tmp_path: Path) -> None:
    """One of the four is given another torch and another code; a report before says nothing."""
    folder = Path(shutil.copytree(made, tmp_path / "mixed"))
    assert "Mixed" not in (folder / "report.html").read_text()
    run = next((folder / "runs").iterdir())
    facts = json.loads((run / "environment.json").read_text())
    facts["fingerprint"]["torch"] = "1.0"
    facts["fingerprint"]["code"]["nets"] = "0"
    (run / "environment.json").write_text(json.dumps(facts))
    finish(run)
    assert clinometer("report", folder).status == 0
    (said,) = re.findall(r"Mixed: [^<]*", (folder / "report.html").read_text())
    assert said == "Mixed: its runs were not all made with the same (code: nets; torch)."


def test_a_report_imports_nothing(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the place of the study's module stands one that leaves a file behind when it is imported."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    monkeypatch.setenv(FOLDER, str(tmp_path))
    (tmp_path / "evil_nets.py").write_text(EVIL)
    kept = read_study(made)
    claims = json.loads((made / "claims.json").read_text())
    hostile = json.loads(json.dumps(kept).replace("nets:", "evil_nets:"))
    assert hostile != kept
    write_study(made, hostile)
    assert clinometer("report", made).status == 0, "without runs: they are those of another model"
    write_study(made, kept)
    assert clinometer("report", made).status == 0
    assert json.loads((made / "claims.json").read_text()) == claims
    assert not (tmp_path / "touched").exists()


def test_a_program_may_claim_by_a_function(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The narrow network's loss is larger at every seed; a later report has the verdict without the program."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "program.py").write_text(PROGRAM)
    said = clinometer("run", "program.py")
    assert said.status == 0, said.out + said.err
    folder = tmp_path / "runs" / "width"
    (claim,) = json.loads((folder / "claims.json").read_text())
    assert (claim["source"], claim["note"]) == ("folklore", "as it should")
    assert claim["value"] > 0
    assert "&lt;script&gt;" in (folder / "report.html").read_text()
    assert (folder / "report.html").read_text().count("<script>") == 1, "the page's own"
    said = clinometer("run", "program.py", "--width", 2, "--to", "narrow")
    assert said.status == 0, said.out + said.err
    assert "no arm 'width 32'" in (tmp_path / "narrow" / "claims.json").read_text()
    page = (folder / "report.html").read_text()
    assert "Mixed" not in page, "each seed has its own data, as it was told"
    (tmp_path / "program.py").unlink()
    for _ in range(2):
        assert clinometer("report", folder).status == 0
        (again,) = json.loads((folder / "claims.json").read_text())
        assert again == claim | {"note": "as it should Decided by a function of the study's program when it last ran."}


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--dropuot", 0], "--dropuot: factors.dropuot: no factor or option 'dropuot'. Did you"),
        (["--dropuot", 0], "Did you mean 'dropout'?"),
        (["--job", 2], "Did you mean 'jobs'?"),
        (["--jobs", 0], "--jobs must be at least 1; found 0"),
        (["--seeds", 0], "--seeds must be at least 1; found 0"),
        (["--lr", "fast"], "optimizer: called with"),
        (["--steps", "1.5"], "--steps: steps: expected a whole number of at least 1; found 1.5"),
        (["--dropout", 0, "0.0"], "--dropout: factors.dropout: 0.0 is there twice"),
        (["--device", "gpu"], "--device gpu cannot be used"),
    ],
)
def test_bad_options_change_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: Any, expected: str) -> None:
    """Status 2, one line, and no folder."""
    monkeypatch.chdir(tmp_path)
    said = clinometer("run", EXAMPLE, *words)
    assert said.status == 2
    assert expected in said.err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        (
            "study.txt",
            "",
            "`clinometer run` takes the file of a study, in YAML (*.yaml) or Python (*.py)",
        ),
        ("study.yaml", None, "study.yaml is missing: `clinometer run` takes the file of a study"),
        ("study.yaml", "[1]", "study.yaml: expected keys with their values, such as `name: dropout`; found list"),
        ("study.yaml", "name: \xff", "study.yaml: expected UTF-8"),
        ("study_a.py", "STUDY = 3", "study_a.py: expected a variable STUDY"),
        ("study_b.py", "1 / 0", "study_b.py: running it raised ZeroDivisionError: division by zero"),
        ("json.py", "STUDY = 3", "json.py: another module is named json. Rename the file"),
    ],
)
def test_files_that_are_no_study(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, text: str | None, expected: str
) -> None:
    """Status 2 and what is wrong with the file, by its name."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    if text is not None:
        (tmp_path / name).write_bytes(text.encode("latin-1"))
    said = clinometer("run", name)
    assert said.status == 2
    assert expected in said.err


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"study": "other"}, "expected the study that the folder holds"),
        ({"declared": 3}, "expected the study that the folder holds"),
        ({"declared": {"name": "dropout", "model": "a:b", "claims": [{"function": True}]}}, "claims[0]: expected id"),
        ({"declared": {"name": "dropout", "model": "a:b", "surprise": 1}}, "surprise: no key called 'surprise'"),
        ({"scale": "laptop"}, "no scale 'laptop'"),
    ],
)
def test_a_damaged_folder_is_refused(made: Path, tmp_path: Path, change: dict[str, Any], expected: str) -> None:
    """study.json came from somebody else: status 2 and the key, no traceback."""
    write_study(tmp_path, {**read_study(made), **change})
    said = clinometer("report", tmp_path)
    assert said.status == 2
    assert expected in said.err


def test_the_example_is_twenty_lines() -> None:
    """As promised; and the one that the page shows, as is its network."""
    page = (EXAMPLE.parents[2] / "docs" / "own_study.md").read_text()
    assert f"```yaml\n{EXAMPLE.read_text()}```" in page
    network = EXAMPLE.with_name("nets.py").read_text()
    assert network[network.index("from torch") :] in page
    assert len(EXAMPLE.read_text().splitlines()) <= 20
    study, _ = read(EXAMPLE)
    assert [study.name_of(arm) for arm in study.arms] == ["dropout 0", "dropout 0.5"]
