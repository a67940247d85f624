"""A paper that is no part of this package, in a small distribution of its own, as a user meets it."""

import json
import os
import sys
from pathlib import Path

import pytest
import warm

from clinometer.papers import find_papers, load_paper

PAPER = {
    "tiny_paper/__init__.py": """
from importlib import import_module

TITLE = "Wider networks learn faster"
SOURCE = "N. Obody, 2024"
READ = "its <abstract>"

def study():
    return import_module("tiny_paper.definition").STUDY
""",
    "tiny_paper/definition.py": """
import numpy as np

from clinometer.studies.claims import Claim, Evidence
from clinometer.studies.comparison import above
from clinometer.studies.figure import Figure, Panel, Series
from clinometer.studies.study import FigureSpec, Scale, Study
from clinometer.training.config import RunConfig, grid

BASE = RunConfig("tiny_paper.nets:mlp", settings={"width": 2, "lr": 0.5}, steps=20, measure_every=5, test_every=19)

def arms(bases):
    return grid(bases["mlp"], width=[2, 64])

def draw(runs, bases):
    losses = {arm["width"]: runs.values(arm, "train", "loss").mean(0) for arm in arms(bases)}
    steps = runs.steps(bases["mlp"], "train")
    lines = [Series(f"width {width}", "plain", steps, loss) for width, loss in losses.items()]
    return Figure("Figure 1", "The loss.", (Panel("loss", "step", "loss", tuple(lines)),))

def faster(runs, bases):
    narrow, wide = (runs.values(arm, "train", "loss")[:, -5:].mean(1) for arm in arms(bases))
    return Evidence((above("loss, narrow less wide", narrow - wide),))

STUDY = Study(
    name="tiny2024",
    title="Wider networks learn faster",
    source="N. Obody, 2024",
    scales={"smoke": Scale(lambda: {"mlp": BASE}, {"mlp": 3}, about="digits; seconds")},
    figures={"figure_1": FigureSpec("Figure 1: the loss", arms, draw)},
    claims=(Claim("T1", "wider is faster", "Figure 1", "the last losses are smaller", ("figure_1",), faster),),
    label_fields=("width",),
)
""",
    "tiny_paper/nets.py": """
from torch import nn

def mlp(width):
    return nn.Sequential(nn.Flatten(), nn.Linear(64, width), nn.ReLU(), nn.Linear(width, 10))
""",
    "tiny_paper-0.1.dist-info/METADATA": "Metadata-Version: 2.1\nName: tiny-paper\nVersion: 0.1\n",
    "tiny_paper-0.1.dist-info/entry_points.txt": "[clinometer.papers]\ntiny2024 = tiny_paper\n",
    "tiny_paper-0.1.dist-info/RECORD": "",
}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of installed packages that holds the paper."""
    folder = tmp_path_factory.mktemp("site")
    for name, text in PAPER.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    return folder


def clinometer(site: Path, folder: Path, *words: str) -> str:
    """What the command prints in a process that has the paper installed."""
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join([str(site), os.environ.get("PYTHONPATH", "")])}
    done = warm.run(["-m", "clinometer.cli", *words], cwd=folder, env=environ, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_an_installed_paper_is_listed_reproduced_and_reported(site: Path, tmp_path: Path) -> None:
    """By the command line alone, from its entry point to its page; the claim's answer is known: 2 units are too few."""
    listed = clinometer(site, tmp_path, "list")
    papers, _, own = listed.partition("Studies of clinometer's own")
    assert "tiny2024: Wider networks learn faster\n  N. Obody, 2024\n  read of it: its <abstract>\n" in papers
    assert "santurkar2018" in papers
    assert "learning_rates" in own
    assert "T1: wider is faster (Figure 1)" in clinometer(site, tmp_path, "list", "tiny2024")
    said = clinometer(site, tmp_path, "reproduce", "tiny2024", "--to", "out", "--jobs", "1")
    assert "6 of 6 runs done" in said
    (claim,) = json.loads((tmp_path / "out" / "claims.json").read_text())
    assert (claim["id"], claim["verdict"], claim["n"]) == ("T1", "holds", 3)
    facts = json.loads(next((tmp_path / "out" / "runs").glob("*/environment.json")).read_text())
    assert "tiny_paper.nets" in facts["fingerprint"]["code"]
    (tmp_path / "out" / "report.html").unlink()
    clinometer(site, tmp_path, "report", "out")
    page = (tmp_path / "out" / "report.html").read_text()
    assert "width 64" in page
    assert "<p>Read of the paper: its &lt;abstract&gt;.</p>" in page
    assert '<figure class="chart" id="figure_1"' in page


def test_two_papers_of_one_name_are_refused(site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second distribution announces the same name: neither is taken in silence."""
    info = tmp_path / "other-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: other\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[clinometer.papers]\ntiny2024 = other\n")
    monkeypatch.setattr(sys, "path", [str(tmp_path), str(site), *sys.path])
    with pytest.raises(ValueError, match=r"two papers are called 'tiny2024': .*Uninstall one of the packages"):
        find_papers()


def test_a_paper_that_cannot_be_imported_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its entry point leads nowhere, or to a module that lacks what a paper has."""
    info = tmp_path / "broken-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[clinometer.papers]\nlost = no_such_module\nempty = this\n")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    with pytest.raises(ValueError, match="the paper 'lost' cannot be imported from no_such_module: No module named"):
        load_paper("lost")
    with pytest.raises(ValueError, match=r"the paper 'empty' in this has no TITLE; expected TITLE, SOURCE and study"):
        load_paper("empty")
