"""The command line.

Exit status: 0 when the work was done, whatever the claims say; 1 when a run failed, a theorem was not verified or the
disk is full; 2 on bad input.
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
