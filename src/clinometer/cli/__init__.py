"""The command line.

Exit status: 0 when the work was done, whatever the claims say; 1 when a run failed, a theorem was not verified or the
disk is full, or what a command prints is its work and could not be written; 2 on bad input; 128 and the signal's number
after a signal, such as 130 after Ctrl-C.
"""

import sys
from importlib.util import find_spec

_missing = [
    name for name in ("cyclopts", "rich", "scipy", "matplotlib", "jinja2", "safetensors") if find_spec(name) is None
]
if _missing:  # reported now, and not after an hour of training
    sys.exit(f"the command line needs {', '.join(_missing)}: pip install 'clinometer[studies,report,data]'")

from clinometer.cli.app import main

__all__ = ["main"]
