import ast
import subprocess
import sys
from pathlib import Path

import clinometer

FILE = Path(clinometer.__file__)


def test_public_names_are_exactly_those_listed() -> None:
    """The names are the promise to users: one that goes, or comes unnoticed, fails here."""
    names = clinometer.__all__
    assert len(names) == len(set(names)) <= 57, "a new public name replaces one or earns its page"
    public = {name for name in dir(clinometer) if not name.startswith("_")}
    modules = {each.stem for each in FILE.parent.iterdir()}
    assert public - modules - {"Any", "TYPE_CHECKING", "import_module"} == set(names)
    assert all(getattr(clinometer, name) is not None for name in names)


def test_what_editors_read_is_what_is_imported() -> None:
    """The imports for type checkers, read from the syntax tree, and those that happen name the same objects."""
    (block,) = [node for node in ast.parse(FILE.read_text()).body if isinstance(node, ast.If)]
    declared: dict[str, str] = {}
    for node in block.body:
        assert isinstance(node, ast.ImportFrom)
        assert node.module
        declared |= {alias.name: node.module.removeprefix("clinometer.") for alias in node.names}
    assert declared == clinometer._MODULES
    assert sorted(declared) == sorted(clinometer.__all__)


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    """As of any module: `hasattr`, `from clinometer import x` and pickling rely on it."""
    assert not hasattr(clinometer, "Recoder")
    code = "from clinometer import Recoder"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "ImportError: cannot import name 'Recoder'" in out.stderr


def test_importing_starts_nothing_heavy() -> None:
    """In a fresh interpreter, every public name used: the instrument must not drag in what only studies need."""
    heavy = (
        "lightning",
        "transformers",
        "accelerate",
        "scipy",
        "matplotlib",
        "pyarrow",
        "PIL",
        "rich",
        "xarray",
        "pandas",
        "tensorboard",
        "wandb",
        "mlflow",
        "trackio",
    )
    code = f"""
import sys, clinometer
print([m for m in ("torch", "numpy") if m in sys.modules])
from clinometer import *
print([m for m in {heavy} if m in sys.modules], Recorder.__name__)
"""
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.splitlines() == ["[]", "[] Recorder"]
