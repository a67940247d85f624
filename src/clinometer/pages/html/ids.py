"""Ids of elements, from names that anybody may have chosen."""

import re


def anchor(name: str) -> str:
    """A name as an id of an element, and as the part of a link after #.

    Example:
        >>> anchor("figure_04"), anchor("a b<c>"), anchor("4")
        ('figure_04', 'a-b-c-', 'id-4')
    """
    safe = re.sub(r"[^A-Za-z0-9_.:-]", "-", name[:80])
    return safe if safe[:1].isalpha() else f"id-{safe}"
