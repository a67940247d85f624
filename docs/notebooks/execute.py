"""Run the notebooks of this folder, each in an empty folder, and keep what they print and draw: here, or in a folder.

python docs/notebooks/execute.py [FOLDER]
"""

import sys
import tempfile
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

HERE = Path(__file__).parent
NOTEBOOKS = sorted(HERE.glob("*.ipynb"))


def executed(notebook: Path) -> Any:
    """The notebook with the outputs of a new kernel; an error in a cell is raised."""
    read = nbformat.read(notebook, as_version=4)
    with tempfile.TemporaryDirectory() as folder:
        client = NotebookClient(read, timeout=300, kernel_name="python3", record_timing=False)
        kernel = client.create_kernel_manager()
        kernel.transport, kernel.ip = "ipc", f"{folder}/kernel"  # files, and no network
        client.execute(cwd=folder)
    return read


if __name__ == "__main__":
    to = Path(sys.argv[1]) if sys.argv[1:] else HERE
    for each in NOTEBOOKS:
        nbformat.write(executed(each), to / each.name)
