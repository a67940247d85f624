"""Figures are drawn whatever backend the environment names: in processes of their own, which import matplotlib anew."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import os, sys
import numpy as np
from pathlib import Path
if sys.argv[2] == "first":
    import matplotlib
    matplotlib.rcParams["lines.linewidth"] = 7.0
    chosen = dict.__getitem__(matplotlib.rcParams, "backend")
from clinometer.plots.matplotlib import save
from clinometer.studies.figure import Figure, Panel, Series
panel = Panel("panel", "x", "y", (Series("s", "batch", np.array([0.0, 1.0]), np.array([1.0, 2.0])),))
save(Figure("title", "", (panel,), palette={"batch": "#112233"}), Path(sys.argv[1]) / "figure")
import matplotlib
assert "matplotlib.pyplot" not in sys.modules
assert os.environ["MPLBACKEND"] == sys.argv[3]
if sys.argv[2] == "first":
    assert matplotlib.rcParams["lines.linewidth"] == 7.0
    assert dict.__getitem__(matplotlib.rcParams, "backend") == chosen
"""


@pytest.mark.parametrize(
    ("backend", "imported"),
    [
        ("module://matplotlib_inline.backend_inline", "later"),
        ("nonsense", "later"),
        ("TkAgg", "later"),
        ("TkAgg", "first"),
    ],
)
def test_any_backend_will_do_and_is_left_alone(backend: str, imported: str, tmp_path: Path) -> None:
    """A notebook hands its own backend to the programs that it starts, where it is not installed; or nobody has it."""
    environment = {name: value for name, value in os.environ.items() if name != "DISPLAY"} | {"MPLBACKEND": backend}
    command = [sys.executable, "-c", PROGRAM, str(tmp_path), imported, backend]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "figure.svg").read_text(encoding="utf-8").startswith("<?xml")
    assert (tmp_path / "figure.png").stat().st_size > 0
