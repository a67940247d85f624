"""Where multiprocessing keeps its sockets: their paths must be short, while TMPDIR may be long."""

import contextlib
import multiprocessing as mp
import os
import shutil
import tempfile
from multiprocessing import util
from typing import Any

_LONGEST = 103  # bytes of a socket's path on macOS; 107 on Linux
_NAMES = len("/pymp-12345678/listener-12345678")  # what multiprocessing adds to the folder


def shorten_socket_paths() -> None:
    """Let multiprocessing keep its sockets in /tmp where the path of the usual folder (TMPDIR) is too long for them."""
    config: Any = mp.current_process()._config  # pyright: ignore[reportAttributeAccessIssue] - there is no public way
    if config.get("tempdir") is None and len(os.fsencode(tempfile.gettempdir())) + _NAMES > _LONGEST:
        folder = tempfile.mkdtemp(prefix="pymp-", dir="/tmp")
        util.Finalize(None, _remove, args=(folder,), exitpriority=-100)
        config["tempdir"] = folder  # children inherit it


def _remove(folder: str) -> None:
    with contextlib.suppress(OSError):
        shutil.rmtree(folder)
    mp.current_process()._config["tempdir"] = None  # pyright: ignore[reportAttributeAccessIssue]
