"""Makes a paper by its command, as a reader would, but forked from a warm process: see `warm.py`."""

from pathlib import Path

import warm


def reproduce(paper: str, folder: Path, *words: str) -> None:
    """`clinometer reproduce PAPER`, at its smoke scale, which must end well."""
    command = ["-m", "clinometer.cli", "reproduce", paper, *words, "--to", folder]
    done = warm.run(command, cwd=folder.parent, timeout=1800)
    assert done.returncode == 0, done.stdout + done.stderr
