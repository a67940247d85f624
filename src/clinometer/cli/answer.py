"""What a command found: a terminal gets text and tables of it, and `--json` one document.

A command returns an `Answer` and does not print it; what it says while it works are remarks. So every command has
`--json`, and none knows of it.
"""

import contextlib
import dataclasses
import json
import math
import os
import sys
from collections.abc import Generator, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
from rich.console import RenderableType
from rich.text import Text

from clinometer.cli.console import console

OPTION = "--json"


@dataclass(frozen=True)
class Answer:
    """What a command found."""

    found: Mapping[str, Any]  # what `--json` prints: JSON's types, paths, dataclasses and NumPy's arrays and numbers
    shown: Iterable[RenderableType] = ()  # what a terminal gets; text is not cut into lines
    status: int = 0
    error: str = ""  # what went wrong, where something was found all the same

    def show(self) -> None:
        """Print it for a reader."""
        for part in self.shown:
            console.print(part, soft_wrap=isinstance(part, str | Text))

    def document(self) -> str:
        """It as JSON, with the error last if there is one."""
        return as_json({**self.found, **({"error": self.error} if self.error else {})})


@dataclass
class JsonOption:
    """Whether `--json` was given, and the words without it.

    Example:
        >>> JsonOption.of(["list", "--json"])
        JsonOption(given=True, words=['list'])
        >>> JsonOption.of(["run", "mine.yaml", "--", "--json"])
        JsonOption(given=False, words=['run', 'mine.yaml', '--', '--json'])
    """

    given: bool = False
    words: list[str] = field(default_factory=list[str])

    @classmethod
    def of(cls, words: Iterable[str]) -> "JsonOption":
        """The option in the words of a command line; after `--` there are no options."""
        every = list(words)
        end = every.index("--") if "--" in every else len(every)
        left = [word for word in every[:end] if word != OPTION]
        return cls(len(left) < end, left + every[end:])


def as_json(value: Any) -> str:
    """Strict JSON in ASCII: a number that is not finite is null, keys keep their order.

    Example:
        >>> from pathlib import Path
        >>> as_json({"loss": math.inf, "page": Path("runs/report.html"), "seeds": (0, 1)})
        '{"loss": null, "page": "runs/report.html", "seeds": [0, 1]}'
    """
    return json.dumps(_plain(value), allow_nan=False)


@contextlib.contextmanager
def stdout_on_stderr() -> Generator[None]:
    """Turn what is printed to standard output to standard error: ours, C code's and that of other processes."""
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)


def _plain(value: Any) -> Any:
    """The value in JSON's types."""
    if isinstance(value, bool | int | str) or value is None:
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(name): _plain(each) for name, each in cast("Mapping[Any, Any]", value).items()}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {each.name: _plain(getattr(value, each.name)) for each in dataclasses.fields(value)}
    if isinstance(value, np.ndarray | np.generic):
        return _plain(value.tolist())
    if isinstance(value, Iterable):
        return [_plain(each) for each in cast("Iterable[Any]", value)]
    return str(value)
