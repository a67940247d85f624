"""The table of the commands, from the command line itself."""

from pathlib import Path

from clinometer.cli.app import COMMANDS
from generators.llms import usage


def commands(_: str, __: Path) -> str:
    """A row for each command: its arguments, and what it does."""
    rows = [f"| `{usage(name)}` | {' '.join(about.split())} |" for name, about in COMMANDS.items()]
    return "\n".join(["| command | what it does |", "|---|---|", *rows])
