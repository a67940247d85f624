"""Where a page goes, and the files that stand beside it."""

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Destination:
    """The page's file, and the folder of what is kept beside it: claims, theorems and figures.

    Args:
        page: The file.
        files: The folder; None if only the page is written.
    """

    page: Path
    files: Path | None

    @classmethod
    def of(cls, folder: Path, to: Path | None = None) -> "Destination":
        """Where the page of a folder goes.

        Args:
            folder: Of the run or study.
            to: A file, whose name ends in .html: the page alone; or a folder, for all of it. By default `folder`.

        Raises:
            ValueError: if `to` is a file of another name, or a folder called as a page.

        Example:
            >>> runs = Path("runs/mine")
            >>> for to in (None, Path("out"), Path("out/mine.html")):
            ...     found = Destination.of(runs, to)
            ...     print(found.page, found.files)
            runs/mine/report.html runs/mine
            out/report.html out
            out/mine.html None
        """
        if to is None:
            return cls(folder / "report.html", folder)
        is_page = to.suffix == ".html"
        if to.is_dir() if is_page else to.is_file():
            raise ValueError(f"expected a folder to write to, or a page whose name ends in .html; found {to}.")
        return cls(to, None) if is_page else cls(to / "report.html", to)

    def check_writable(self) -> None:
        """PermissionError, before any work, where nothing can be written."""
        there = next(each for each in self.page.absolute().parents if each.exists())
        if not os.access(there, os.W_OK):
            raise PermissionError(f"{there} cannot be written to. Name another place with --to.")
