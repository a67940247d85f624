"""Checks the theorems of a study in a thread, beside the processes that make its runs."""

import contextlib
from collections.abc import Callable, Generator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from clinometer.studies.theorems import Checked, TheoremSpec, check, rows


@contextlib.contextmanager
def theorem_checks(theorems: Mapping[str, TheoremSpec]) -> Generator[Callable[[], list[dict[str, Any]]]]:
    """Check each theorem in a thread while the `with` block runs; leaving it drops the checks that have not begun.

    One thread is enough, since runs are made by processes and this process only waits for them. A check finds the same
    in any thread: it draws its inputs from a generator of its own.

    Args:
        theorems: The theorems by name.

    Yields:
        A function that waits for the checks and returns their rows of `theorems.json`.

    Example:
        >>> from clinometer.studies.theorems import Theorem
        >>> trivial = TheoremSpec("title", "source", lambda: Theorem("h", "p", "0 = 0", lambda _: 0.0, {}))
        >>> with theorem_checks({"t": trivial}) as checked_rows:
        ...     [(row["id"], row["verdict"]) for row in checked_rows()]
        [('t', 'verified')]
    """
    thread = ThreadPoolExecutor(1, "theorems")
    try:
        checks = {name: thread.submit(_checked, theorem) for name, theorem in theorems.items()}
        yield lambda: rows(theorems, {name: found.result() for name, found in checks.items()})
    finally:
        thread.shutdown(cancel_futures=True)


def _checked(theorem: TheoremSpec) -> Checked:
    return check(theorem.load())
