"""What a command imports: those that train nothing start without torch, and every name leads to a command."""

import subprocess
import sys
from pathlib import Path

import pytest
from stored import keep

from clinometer import Store
from clinometer.cli.app import COMMANDS, app

HEAVY = ("torch", "matplotlib", "scipy", "pandas", "pyarrow", "jinja2")
CODE = f"""
import sys
from clinometer.cli import main
try:
    main(sys.argv[1:])
finally:
    print("imported:", *[name for name in {HEAVY} if name in sys.modules])
"""


@pytest.mark.parametrize("line", ["--help", "list", "list santurkar2018", "status study", "watch mine --once"])
def test_a_command_that_trains_nothing_imports_nothing_heavy(line: str, tmp_path: Path) -> None:
    """Read from `sys.modules` of a fresh process after the command has done its work, so no clock is involved."""
    store = Store(tmp_path / "mine" / "rows.sqlite")
    store.append(0, {"landscape": {"loss": 2.5, "beta": 3.0, "beta_lr_half": 0.5}})
    store.close()
    keep(tmp_path / "study", {"seed": 0}, {0: {"p": {"x": 1.0}}})
    out = subprocess.run(
        [sys.executable, "-c", CODE, *line.split()],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
        timeout=300,
    )
    assert out.stdout.splitlines()[-1] == "imported:"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_there_with_its_help(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A command's module and function are found by name when it is given: a misspelt one would fail only then."""
    app([name, "--help"], result_action="return_value")
    shown = " ".join(capsys.readouterr().out.split())
    assert COMMANDS[name].partition("\n")[0] in shown
    assert app[name].default_command
