"""Anchors of a page: where `#C7` leads, for names that nobody has checked."""

import re


class Anchors:
    """Gives each name an anchor of its own, the name itself where that can be one.

    Args:
        taken: Those that the page has already.

    Example:
        >>> anchors = Anchors(["figures"])
        >>> [anchors.of(name) for name in ("C7", "C7", "figures", 'a "b"', "")]
        ['C7', 'C7-2', 'figures-2', 'a_b_', '_']
    """

    def __init__(self, taken: list[str]) -> None:
        self._taken = set(taken)

    def of(self, name: str) -> str:
        """An anchor for something of this name; another at each call."""
        wished = re.sub(r"[^\w.-]+", "_", name, flags=re.ASCII)[:64] or "_"
        found, number = wished, 1
        while found in self._taken:
            number += 1
            found = f"{wished}-{number}"
        self._taken.add(found)
        return found
