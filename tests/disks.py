"""A disk that can be filled and made read-only: a tmpfs in a namespace of its own, or what comes nearest to it.

Where the system lets nobody but root mount anything, a limit on the size of files stands in for a full disk, and the
folder's permissions for a read-only one.
"""

import contextlib
import os
import resource
import subprocess
import sys
from collections.abc import Generator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import warm


class Disk(Protocol):
    """A file system for commands that are run on it."""

    path: Path  # where those commands see it
    seen: Path  # where this process does

    def allow(self, size: int, file: int) -> None:
        """Let it hold so many bytes, or files of so many where its size cannot be chosen."""
        ...

    def read_only(self) -> None:
        """From here on nothing can be written."""
        ...

    def run(self, words: Sequence[str | Path], **settings: Any) -> subprocess.CompletedProcess[str]:
        """Run a command; it must end within two minutes."""
        ...

    def python(self, words: Sequence[str | Path], env: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
        """Run `python *words` in the disk's folder."""
        ...


class Mounted:
    """A tmpfs in a user and mount namespace, which a process of that namespace keeps alive."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir()
        script = f"mount -t tmpfs -o size=1m disk {path} && echo ready && read stop"
        self._holder = subprocess.Popen(
            ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self._holder.stdout
        if self._holder.stdout.readline() != "ready\n":
            self._holder.communicate()
            raise OSError("no namespace with a mount of its own")
        self.seen = Path(f"/proc/{self._holder.pid}/root{path}")
        self._inside = ("nsenter", "-t", str(self._holder.pid), "-U", "-m", "--preserve-credentials")

    def allow(self, size: int, file: int) -> None:  # noqa: ARG002
        self._mount(f"remount,size={size}")

    def read_only(self) -> None:
        self._mount("remount,ro")

    def run(self, words: Sequence[str | Path], **settings: Any) -> subprocess.CompletedProcess[str]:
        # nsenter goes to the root folder; the command shall be where the test says.
        where = ["sh", "-c", 'cd "$0" && exec "$@"', settings.pop("cwd", self.path)]
        return _run([*self._inside, *where, *words], **settings)

    def python(self, words: Sequence[str | Path], env: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
        return warm.run(words, cwd=self.path, env=env, inside=self._holder.pid)

    def close(self) -> None:
        self._holder.communicate()  # its input ends, and with it the namespace and the disk

    def _mount(self, options: str) -> None:
        done = self.run(["mount", "-o", options, self.path], cwd="/")
        assert done.returncode == 0, done.stderr


class Limited:
    """A folder, and commands that may not write files longer than a limit."""

    def __init__(self, path: Path) -> None:
        self.path = self.seen = path
        self._file = resource.RLIM_INFINITY
        path.mkdir()

    def allow(self, size: int, file: int) -> None:  # noqa: ARG002
        self._file = file

    def read_only(self) -> None:
        for folder, _, _ in os.walk(self.path):
            Path(folder).chmod(0o555)

    def run(self, words: Sequence[str | Path], **settings: Any) -> subprocess.CompletedProcess[str]:
        limit = (self._file, resource.getrlimit(resource.RLIMIT_FSIZE)[1])
        return _run(words, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, limit), **settings)

    def python(self, words: Sequence[str | Path], env: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
        return self.run([sys.executable, *words], cwd=self.path, env=env)

    def close(self) -> None:
        for folder, _, _ in os.walk(self.path):
            Path(folder).chmod(0o755)


@contextlib.contextmanager
def disk(path: Path) -> Generator[Disk]:
    """A disk at a path that is not there yet."""
    try:
        made = Mounted(path)
    except OSError:
        path.rmdir()
        made = Limited(path)
    try:
        yield made
    finally:
        made.close()


def _run(words: Sequence[str | Path], **settings: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words, capture_output=True, text=True, timeout=300, check=False, **settings)
