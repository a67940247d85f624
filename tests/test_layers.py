"""The design's layers: each imports only from those below it, and the instrument needs torch and NumPy alone."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import clinometer

SOURCE = Path(clinometer.__file__).parent
LAYERS = [  # top first
    ("cli",),
    ("writing",),
    ("pages", "papers"),
    ("plots", "analysis"),
    ("studies",),
    ("runner",),
    ("results",),
    ("training",),
    ("learning_rate",),
    ("recorder",),
    ("probes",),
    ("measures",),
    ("objective", "nn", "store"),
    ("extras", "readable", "transliteration"),
]
HEIGHT = {name: -row for row, names in enumerate(LAYERS) for name in names}
# The instrument: torch and NumPy.
BARE = {
    "objective",
    "measures",
    "probes",
    "recorder",
    "learning_rate",
    "nn",
    "store",
    "extras",
    "readable",
    "transliteration",
    "__init__",
}
MODULES = sorted(path for path in SOURCE.rglob("*.py"))


def imports(path: Path) -> Iterator[str]:
    """The dotted names that a file imports at any depth, functions included."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield node.module or ""


def part(path: Path) -> str:
    """The layer's member that a file belongs to."""
    first = path.relative_to(SOURCE).parts[0]
    return first.removesuffix(".py")


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(SOURCE)))
def test_imports_go_down(path: Path) -> None:
    """Read from the syntax tree, so an import inside a function counts as well."""
    here = part(path)
    for name in imports(path):
        pieces = name.split(".")
        if pieces[0] != "clinometer" or here == "__init__" or len(pieces) == 1:
            continue
        there = pieces[1]
        assert there == here or HEIGHT[there] < HEIGHT[here], f"{path} imports {name}, which is not below it"
        if there == here == "papers" and len(pieces) > 2:
            assert pieces[2] == path.relative_to(SOURCE).parts[1], f"{path} imports another paper, {name}"


@pytest.mark.parametrize("path", [p for p in MODULES if part(p) in BARE], ids=lambda p: str(p.relative_to(SOURCE)))
def test_the_instrument_needs_torch_and_numpy_alone(path: Path) -> None:
    """`import clinometer` must work where nothing else is installed."""
    for name in imports(path):
        root = name.split(".")[0]
        assert root in {"torch", "numpy", "clinometer"} or root in sys.stdlib_module_names, f"{path} imports {name}"


def test_files_are_one_noun() -> None:
    """A file that needs a table of contents is two files."""
    long = {str(path.relative_to(SOURCE)): n for path in MODULES if (n := len(path.read_text().splitlines())) > 260}
    assert not long
