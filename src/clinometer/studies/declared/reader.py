"""Reads declared studies from files: YAML, which executes nothing, or a Python program with a variable STUDY."""

import contextlib
import importlib
import sys
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from clinometer.studies.declared.spec import OwnStudy, declared
from clinometer.studies.declared.suffixes import SUFFIXES
from clinometer.studies.declared.yaml import parsed
from clinometer.training.errors import SpecError
from clinometer.training.imports import look_in, where_raised


@dataclass(frozen=True)
class Source:
    """The file that a study was read from, and the line of each key."""

    path: Path
    lines: Mapping[str, int] = field(default_factory=dict[str, int])
    words: Mapping[str, str] = field(default_factory=dict[str, str])  # key -> the option that set it

    @contextlib.contextmanager
    def named(self) -> Generator[None]:
        """Turn a SpecError of the block into a ValueError with file and line."""
        try:
            yield
        except SpecError as error:
            raise ValueError(f"{self.where(error.key)}: {error}") from error

    def where(self, key: str) -> str:
        """File and line of a key, or of the nearest key around it that has a line; or the option that set it."""
        around = [key]
        while key := key[: max(key.rfind("."), key.rfind("["), 0)]:
            around.append(key)
        if option := next((self.words[each] for each in around if each in self.words), None):
            return option
        if line := next((self.lines[each] for each in around if each in self.lines), None):
            return f"{self.path}, line {line}"
        return str(self.path)


def read(path: Path) -> tuple[OwnStudy, Source]:
    """Read a study and the lines of its keys from a file.

    Args:
        path: `*.yaml` or `*.yml`, read as data; or `*.py`, which is imported and must define a variable STUDY.

    Raises:
        ValueError: naming file, line and key, and what to do.
    """
    if path.suffix not in SUFFIXES:
        raise ValueError(f"{path}: expected a study in YAML (*.yaml) or Python (*.py).")
    if not path.is_file():
        raise ValueError(f"no file {str(path)!r}; expected a study in YAML (*.yaml) or Python (*.py).")
    look_in(path.parent)
    if path.suffix == ".py":
        source = Source(path)
        with source.named():
            return _program(path), source
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: expected UTF-8; {error}.") from error
    value, lines = parsed(text, path)
    source = Source(path, lines)
    if not isinstance(value, dict):
        raise ValueError(
            f"{path}: expected keys with their values, such as `name: dropout`; found {type(value).__name__}."
        )
    with source.named():
        return declared(value), source


def _program(path: Path) -> OwnStudy:
    folder = str(path.parent.resolve())
    if folder not in sys.path:
        sys.path.insert(0, folder)
    try:
        module = importlib.import_module(path.stem)
    except (Exception, SystemExit) as error:
        if isinstance(error, SpecError):
            raise
        raise SpecError("", f"running it raised {where_raised(error)}") from error
    if Path(str(getattr(module, "__file__", ""))).resolve() != path.resolve():
        raise SpecError("", f"another module is named {path.stem}. Rename the file: its runs import it by its name.")
    study = getattr(module, "STUDY", None)
    if not isinstance(study, OwnStudy):
        raise SpecError(
            "", f"expected a variable STUDY, made by clinometer.studies.declared.spec.OwnStudy(...); found {study!r}."
        )
    return study
