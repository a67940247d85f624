"""Makes a folder completely or not at all."""

import contextlib
import os
import shutil
from collections.abc import Generator
from pathlib import Path


@contextlib.contextmanager
def whole_folder(to: Path) -> Generator[Path]:
    """A folder to fill, beside `to`: it takes that name once all is in it, and is removed if that does not come about.

    Args:
        to: A folder that is not there yet, or is empty.

    Raises:
        ValueError: if there is something; it is left as it is.

    Example:
        >>> import tempfile
        >>> to = Path(tempfile.mkdtemp()) / "new"
        >>> with whole_folder(to) as folder:
        ...     (folder / "notes.txt").write_text("done"), to.exists()
        (4, False)
        >>> [path.name for path in to.parent.iterdir()], (to / "notes.txt").read_text()
        (['new'], 'done')
    """
    to = Path(os.path.abspath(to))  # noqa: PTH100 -- a name of its own for "..", without following links
    if to.is_symlink() or (to.exists() and (not to.is_dir() or any(to.iterdir()))):
        raise ValueError(f"{to} is there already, and is no empty folder. Choose a new one with --to.")
    partial = to.with_name(f"{to.name}.{os.getpid()}.partial")
    partial.mkdir(parents=True)
    try:
        yield partial
        if to.exists():
            to.rmdir()  # which fails if something has come into it meanwhile
        partial.rename(to)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
