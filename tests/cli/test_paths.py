"""A wrong kind of folder or file is called what it is, and the command that takes it is named."""

from pathlib import Path

import pytest
from stored import keep

from clinometer import Store
from clinometer.cli import main
from clinometer.cli.paths import TAKES, check_path, kind_of
from clinometer.training.study_file import write_study

WORDS = {
    "watch": "watch {path} --once",
    "status": "status {path}",
    "report": "report {path}",
    "export": "export {path} --to out",
    "compare": "compare {path} {path}",
    "merge": "merge {path} --to out",
    "plan --to": "plan santurkar2018 --to {path}",
    "run": "run {path}",
    "run --to": "run study.yaml --to {path}",
    "reproduce --to": "reproduce santurkar2018 --to {path}",
}
RUN = "{run}"
PATHS = {
    "missing": ("runs/mien", "Did you mean runs/mine?"),
    "recorder": ("runs/mine", "For it: `clinometer watch runs/mine` or `clinometer report runs/mine`."),
    "run": (f"study/runs/{RUN}", f"`clinometer report study/runs/{RUN}`; for its study: `clinometer status study`."),
    "study": ("study", "For it: `clinometer status study` or `clinometer report study`."),
    "store": ("runs/mine/rows.sqlite", "`clinometer watch runs/mine/rows.sqlite`, or `clinometer report runs/mine`."),
    "study file": ("study.yaml", "For it: `clinometer run study.yaml` or `clinometer plan study.yaml`."),
    "claims": ("study/claims.json", "`clinometer report FOLDER --against study/claims.json`."),
    "page": ("study/report.html", "Open it in a browser; `clinometer report study` writes it again."),
    "file": ("notes.txt", "clinometer did not make it."),
    "empty": ("empty", "Nothing was written into it yet."),
    "runs": ("runs", "It holds runs/mine: give one of these."),
    "folder": ("notes", "It has neither a study.json nor a rows.sqlite."),
}
ALSO = {("plan --to", "missing"), ("plan --to", "empty")}  # a pilot that is not there yet is told how to make


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A folder or file of each kind, in the current folder; the name of the study's run."""
    monkeypatch.chdir(tmp_path)
    store = Store("runs/mine/rows.sqlite")
    store.append(0, {"train": {"loss": 2.5}})
    store.close()
    name = keep(tmp_path / "study", {"seed": 0}, {0: {"p": {"x": 1.0}}}).name
    write_study(tmp_path / "study", {"study": "mine", "scale": "smoke"})
    for file in ("study/claims.json", "study/report.html", "notes.txt", "notes/thesis.txt"):
        Path(file).parent.mkdir(exist_ok=True)
        Path(file).write_text("[]")
    Path("study.yaml").write_text("name: tiny\nmodel: stubborn:net\nfactors: {how: exits, lr: 0.1}\n")
    Path("empty").mkdir()
    return name


def everything(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() if path.is_file() else b"" for path in sorted(folder.rglob("*"))}


@pytest.mark.parametrize("kind", PATHS)
def test_each_kind_is_recognised(kind: str, run: str) -> None:
    """The folders were made by what makes them; a run is told from a Recorder's folder, which has a store as well."""
    assert kind_of(Path(PATHS[kind][0].replace(RUN, run))) == kind


@pytest.mark.parametrize("command", TAKES)
def test_each_command_points_to_the_right_one(command: str, run: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Every command on every kind that it does not take: status 2, one line with what there is and what takes it."""
    before = everything(Path())
    refused = [kind for kind in PATHS if kind not in TAKES[command] and (command, kind) not in ALSO]
    assert len(refused) >= 6
    for kind in refused:
        path, advice = (text.replace(RUN, run) for text in PATHS[kind])
        with pytest.raises(SystemExit, match="2"):
            main(WORDS[command].format(path=path).split())
        said = capsys.readouterr()
        assert said.err.startswith(f"error: {path} is "), said.err
        assert f"`clinometer {command}` takes " in said.err
        assert advice in said.err
        assert (said.err.count("\n"), said.out) == (1, "")
    assert everything(Path()) == before


@pytest.mark.parametrize("command", TAKES)
def test_what_a_command_takes_is_let_through(command: str, run: str) -> None:
    """None of them raises; the commands' own tests show that they then do their work."""
    for kind in TAKES[command]:
        check_path(command, Path(PATHS[kind][0].replace(RUN, run)))


@pytest.mark.parametrize("command", ["reproduce", "check", "list", "plan"])
def test_a_path_is_no_paper(command: str, run: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A study's file and folder, in place of a paper's name; and a paper in place of a file, which is `run`'s."""
    for path in ("study", *(["study.yaml"] if command != "plan" else [])):
        with pytest.raises(SystemExit, match="2"):
            main([command, path])
        said = capsys.readouterr().err
        assert f"`clinometer {command}` takes the name of a paper" in said
        assert f"clinometer {'status study' if path == 'study' else 'run study.yaml'}`" in said
    with pytest.raises(SystemExit, match="2"):
        main(["run", "santurkar2018"])
    assert "santurkar2018 is a paper: " in (said := capsys.readouterr().err)
    assert "`clinometer reproduce santurkar2018`" in said


def test_a_folder_of_many_and_a_name_with_a_space(tmp_path: Path) -> None:
    """Of many the first are listed; a command that is suggested can be pasted into a shell."""
    for number in range(7):
        (tmp_path / f"run {number}").mkdir()
        (tmp_path / f"run {number}" / "rows.sqlite").touch()
    with pytest.raises(ValueError, match=r"run 0, .*run 4 and 2 more: give one of these"):
        check_path("watch", tmp_path)
    with pytest.raises(ValueError, match=r"`clinometer watch '.*run 3'`"):
        check_path("status", tmp_path / "run 3")
