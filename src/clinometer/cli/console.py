"""Where the commands print."""

import sys

from clinometer.pages.console import PlainConsole

console = PlainConsole(width=None if sys.stdout and sys.stdout.isatty() else 120, soft_wrap=False)


def print_remark(remark: str) -> None:
    """Print a sentence while a command works, such as what is waited for."""
    console.print(remark, soft_wrap=True)
