"""Opens a page in the browser of whoever gave the command."""

import webbrowser
from pathlib import Path

from clinometer.cli.console import print_remark


def open_page(page: Path) -> None:
    """Open a file in the browser; where there is none, say so."""
    try:
        opened = webbrowser.open(page.absolute().as_uri())
    except (webbrowser.Error, OSError):
        opened = False
    if not opened:
        print_remark(f"No browser was found here to open the page in. Copy {page}, which is one file, to where one is.")
