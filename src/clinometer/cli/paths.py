"""What a path holds, and which command takes it: a wrong kind of folder is pointed to the right command."""

import contextlib
import difflib
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from clinometer.papers import find_papers
from clinometer.results import path_kind
from clinometer.results.path_kind import PathKind, folders_within
from clinometer.studies.declared.suffixes import SUFFIXES

Kind = PathKind | Literal["study file", "claims", "page"]

_LISTED = 5  # of what a folder holds

_NAMES: dict[Kind, str] = {
    "missing": "a new folder",
    "recorder": "the folder of a Recorder",
    "run": "one run of a study",
    "study": "the folder of a study",
    "store": "a store of rows",
    "study file": "the file of a study, in YAML (*.yaml) or Python (*.py)",
    "claims": "a file of claims",
    "page": "a page",
    "file": "a file",
    "empty": "an empty folder",
    "runs": "a folder of such folders",
    "folder": "a folder that clinometer did not make",
}

TAKES: dict[str, tuple[Kind, ...]] = {
    "watch": ("recorder", "run", "store"),
    "status": ("study",),
    "report": ("study", "recorder", "run"),
    "export": ("study", "recorder", "run", "store"),
    "compare": ("study", "recorder", "run", "store"),
    "merge": ("study",),
    "plan --to": ("study",),
    "run": ("study file",),
    "run --to": ("missing", "empty", "study"),
    "reproduce --to": ("missing", "empty", "study"),
}


def check_path(command: str, path: Path, *also: Kind) -> None:
    """ValueError unless a path holds what a command takes: it says what is there, and which command takes that.

    Args:
        command: One of `TAKES`.
        path: What it was given.
        also: Kinds that it takes besides, this time.
    """
    kind = kind_of(path)
    taken = TAKES[command]
    if kind in taken or kind in also:
        return
    expected = f"`clinometer {command}` takes {' or '.join(_NAMES[each] for each in taken)}"
    if kind == "missing" and command == "run" and str(path) in find_papers():
        raise ValueError(f"{path} is a paper: {expected}. For it: `clinometer reproduce {path}`.")
    if kind == "missing":
        raise ValueError(f"{path} is missing: {expected}.{near_text(path)}")
    raise ValueError(f"{path} is {_NAMES[kind]}; {expected}. {_ADVICE[kind](path)}")


def check_paper(command: str, name: str) -> None:
    """ValueError if what was given as a paper's name is a path: it says what is there, and which command takes that."""
    path = Path(name)
    if name not in find_papers() and (kind := kind_of(path)) != "missing":
        takes = f"`clinometer {command}` takes the name of a paper, see `clinometer list`"
        raise ValueError(f"{path} is {_NAMES[kind]}; {takes}. {_ADVICE[kind](path)}")


def kind_of(path: Path) -> Kind:
    """What a path holds, as `results.path_kind` judges it; other files are told by their names.

    Example:
        >>> kind_of(Path(__file__)), kind_of(Path(__file__).with_suffix(".html"))
        ('study file', 'missing')
    """
    kind = path_kind.kind_of(path)
    if kind not in ("file", "store"):
        return kind
    if path.suffix in SUFFIXES:
        return "study file"
    if path.suffix == ".html":
        return "page"
    return "claims" if path.name == "claims.json" else kind


def near_text(path: Path) -> str:
    """Which path may have been meant in place of one that is missing: the nearest name in the folder that is there.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> (folder / "mine").mkdir()
        >>> near_text(folder / "mien" / "rows.sqlite") == f" Did you mean {folder / 'mine' / 'rows.sqlite'}?"
        True
    """
    there = next((parent for parent in path.parents if parent.is_dir()), Path())
    name, *rest = path.relative_to(there).parts
    with contextlib.suppress(OSError):
        for close in difflib.get_close_matches(name, [each.name for each in there.iterdir()], n=1):
            return f" Did you mean {there.joinpath(close, *rest)}?"
    return ""


def _commands(path: Path, *commands: str) -> str:
    return " or ".join(f"`clinometer {command} {shlex.quote(str(path))}`" for command in commands)


def _of_runs(path: Path) -> str:
    held = folders_within(path)
    more = f" and {len(held) - _LISTED} more" if len(held) > _LISTED else ""
    return f"It holds {', '.join(str(each) for each in held[:_LISTED])}{more}: give one of these."


_ADVICE: dict[Kind, Callable[[Path], str]] = {
    "recorder": lambda path: f"For it: {_commands(path, 'watch', 'report')}.",
    "run": lambda path: (
        f"For it: {_commands(path, 'watch', 'report')}; for its study: {_commands(path.parent.parent, 'status')}."
    ),
    "study": lambda path: f"For it: {_commands(path, 'status', 'report')}.",
    "store": lambda path: f"For it: {_commands(path, 'watch')}, or {_commands(path.parent, 'report')}.",
    "study file": lambda path: f"For it: {_commands(path, 'run', 'plan')}.",
    "claims": lambda path: f"To compare a study's verdicts with it: `clinometer report FOLDER --against {path}`.",
    "page": lambda path: f"Open it in a browser; {_commands(path.parent, 'report')} writes it again.",
    "file": lambda _path: "clinometer did not make it.",
    "empty": lambda _path: "Nothing was written into it yet.",
    "runs": _of_runs,
    "folder": lambda _path: "It has neither a study.json nor a rows.sqlite.",
}
