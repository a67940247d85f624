"""Folders for temporary files in which multiprocessing cannot keep its sockets."""

import os
from pathlib import Path

import pytest
from parents import WarmParent

COMMAND = """
import os, tempfile
os.environ["TMPDIR"] = "{folder}"
tempfile.tempdir = None
import multiprocessing
multiprocessing.current_process()._config["tempdir"] = None  # as where this is the first process
from clinometer.runner.child import call_in_child
print(call_in_child(os.getenv, "TMPDIR"))
raise SystemExit
"""


@pytest.mark.parametrize("name", ["t" * 100, "not there"])
def test_a_folder_for_temporary_files_may_be_long_or_missing(name: str, tmp_path: Path) -> None:
    """The path of a socket holds 107 bytes. The child's environment is the parent's all the same."""
    folder = tmp_path / name
    if name != "not there":
        folder.mkdir()
    status, printed = WarmParent(tmp_path / "study", COMMAND.format(folder=folder)).finish(timeout=300)
    assert status == 0, printed
    assert printed.strip() == os.fspath(folder)
