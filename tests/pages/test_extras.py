"""Options that a paper adds to `reproduce`: which are refused before any run, and where their files go."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from clinometer.cli.app import main
from clinometer.pages.extras import check_extras, write_extras
from clinometer.papers import load_study
from clinometer.results.run_table import RunTable
from clinometer.studies.extra import Extra
from clinometer.studies.figure import Figure
from clinometer.studies.plan import Plan, plan
from clinometer.studies.study import FigureSpec, Scale, Study
from clinometer.training.config import Bases, RunConfig

ARM = RunConfig("nets:mlp", steps=1)


def write(runs: RunTable, _bases: Bases, folder: Path) -> Sequence[Path]:
    (folder / "count.txt").write_text(str(len(runs.configs)))
    return [folder / "count.txt"]


def planned(only: Sequence[str] = ()) -> Plan:
    """A study with a figure of each of two arms, and an extra that needs the second."""
    arms = {"one": ARM, "two": ARM.vary(steps=2)}
    figures = {
        name: FigureSpec(name, lambda _bases, arm=arm: [arm], lambda _runs, _bases: Figure("", "", ()))
        for name, arm in arms.items()
    }
    scale = Scale(lambda: {"base": ARM}, {"base": 1}, "")
    extra = Extra("a count", lambda _bases: [arms["two"]], write)
    study = Study("mine", "Mine", "", {"smoke": scale}, figures, (), extras={"count": extra})
    return plan(study, "smoke", only)


def test_an_extra_is_written_into_a_folder_of_its_name(tmp_path: Path) -> None:
    """It gets the runs that are done, of which there are none here, and says which files it wrote."""
    assert write_extras(planned(), tmp_path, ["count"]) == [tmp_path / "count" / "count.txt"]
    assert (tmp_path / "count" / "count.txt").read_text() == "0"
    assert write_extras(planned(), tmp_path, []) == []


def test_an_extra_that_is_not_there_or_lacks_its_runs_is_refused() -> None:
    """Before any run: --only may leave out what it reads."""
    check_extras(planned(), ["count"])
    check_extras(planned(["two"]), ["count"])
    with pytest.raises(ValueError, match="--count needs runs that --only leaves out: it writes a count"):
        check_extras(planned(["one"]), ["count"])
    with pytest.raises(ValueError, match="no extra 'sound'"):
        check_extras(planned(), ["sound"])


@pytest.mark.parametrize("word", ["--lissen", "--sedes", "more"])
def test_a_word_that_no_paper_adds_is_refused_with_what_there_is(
    word: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A misspelt option must not be taken for one of the paper's: status 2, and nothing is made."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match="2"):
        main(["reproduce", "toth2019", word])
    said = " ".join(capsys.readouterr().err.split())
    assert f"no option '{word}'; there are --listen, --scale" in said
    assert not list(tmp_path.iterdir())


def test_the_list_of_a_paper_names_its_options(capsys: pytest.CaptureFixture[str]) -> None:
    """Where else would a reader find them: `--help` is of the command, which knows no paper."""
    with pytest.raises(SystemExit, match="0"):
        main(["list", "toth2019"])
    assert "--listen: a WAV file" in capsys.readouterr().out
    assert not load_study("santurkar2018").extras
