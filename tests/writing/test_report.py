"""`clinometer.report`: the page of whatever a path holds, as the command writes it."""

import json
import shutil
import sys
from pathlib import Path

import pytest
from stored import STUDY, study

from clinometer.cli import main
from clinometer.store import Store
from clinometer.studies.plan import plan
from clinometer.studies.study_folder import open_study_folder
from clinometer.writing.report import report


@pytest.fixture(scope="module")
def of_study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study of a paper's figure with chosen numbers."""
    folder = tmp_path_factory.mktemp("made") / "study"
    planned = plan(STUDY, "smoke", ["figure_01"])
    open_study_folder(folder, planned, {"only": "figure_01"})
    study(folder, list(STUDY.figures["figure_01"].arms(planned.bases)))
    return folder


def recorded(folder: Path) -> Path:
    """The rows of a run, with a probe that nobody knows."""
    store = Store(folder / "rows.sqlite")
    for step in range(5):
        store.append(step, {"mine": {"speed": 0.25 * step}})
    store.close()
    return folder


@pytest.mark.parametrize("form", ["folder", "file", "text"])
def test_a_run_gets_its_page(tmp_path: Path, form: str) -> None:
    """The path that is returned holds a page with a number that was recorded; the folder is named three ways."""
    folder = recorded(tmp_path / "run")
    given = {"folder": folder, "file": folder / "rows.sqlite", "text": str(folder)}[form]
    page = report(given)
    assert page == folder / "report.html"
    assert "speed" in page.read_text()


def test_a_page_is_written_where_it_is_wanted(tmp_path: Path) -> None:
    """And nowhere else: the run's folder holds what it held."""
    folder = recorded(tmp_path / "run")
    before = sorted(folder.iterdir())
    page = report(folder, str(tmp_path / "pages" / "mine.html"))
    assert page == tmp_path / "pages" / "mine.html"
    assert page.read_text().startswith("<!DOCTYPE html>") or page.read_text().lower().startswith("<!doctype html>")
    assert sorted(folder.iterdir()) == before


def test_a_study_gets_the_page_of_the_command(of_study: Path, tmp_path: Path) -> None:
    """Byte by byte, as are its claims."""
    ours = shutil.copytree(of_study, tmp_path / "study")
    page = report(ours)
    found = page.read_bytes(), json.loads((ours / "claims.json").read_text())
    with pytest.raises(SystemExit) as ended:
        main(["report", str(ours)])
    assert ended.value.code == 0
    assert (page.read_bytes(), json.loads((ours / "claims.json").read_text())) == found


def test_other_paths_are_refused_in_words(tmp_path: Path) -> None:
    """One that is not there, and one that holds nothing of ours."""
    with pytest.raises(ValueError, match=r"there is no .*lost"):
        report(tmp_path / "lost")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match=r"holds no rows\.sqlite, as a run does, and no study\.json"):
        report(tmp_path / "empty")


def test_without_jinja_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`sys.modules` as Python has it where a package is not there."""
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(ImportError, match=r"pip install 'clinometer\[report\]'"):
        report(recorded(tmp_path))
