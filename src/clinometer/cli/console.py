"""Where the commands print."""

import sys
from pathlib import Path

from clinometer.report.console import PlainConsole

console = PlainConsole(width=None if sys.stdout and sys.stdout.isatty() else 120, soft_wrap=False)


def print_remark(remark: str) -> None:
    """Print a sentence, such as what was found, or is waited for, while runs are made."""
    console.print(remark, soft_wrap=True)


def print_page_path(folder: Path) -> None:
    """Print where the page of a study or a run is."""
    print_remark(f"The report, with every figure: {folder / 'report.html'}")
