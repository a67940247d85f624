"""The notebooks of the docs are tests: each runs, and prints what it is kept with."""

import os
import subprocess
import sys
from pathlib import Path

import nbformat

FOLDER = Path(__file__).parent.parent / "docs" / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))


def printed(notebook: Path) -> list[str]:
    """What each cell prints as text."""
    cells = nbformat.read(notebook, as_version=4).cells
    return ["".join(each.text for each in cell.get("outputs", []) if "text" in each) for cell in cells]


def test_notebooks_print_what_they_are_kept_with(tmp_path: Path) -> None:
    """By Jupyter kernels, in empty folders: a name or an output that has changed since fails here."""
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    subprocess.run([sys.executable, FOLDER / "execute.py", tmp_path], check=True, env=environment, timeout=600)
    for notebook in NOTEBOOKS:
        assert printed(tmp_path / notebook.name) == printed(notebook), "run: python docs/notebooks/execute.py"


def test_notebooks_are_kept_small_and_drawn() -> None:
    """Each shows a picture, and a clone does not grow by megabytes."""
    assert len(NOTEBOOKS) == 2
    for notebook in NOTEBOOKS:
        assert notebook.stat().st_size < 300_000, notebook.name
        assert '"image/png"' in notebook.read_text(), notebook.name
