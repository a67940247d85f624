"""Text from files, as text: what it says is shown, and what it would do to a terminal or a page is not done."""

import unicodedata
from collections.abc import Iterable
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

_KEPT = "\n\t"
_UNSEEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}  # controls, marks that turn the direction of writing, halves of pairs


def plain(text: str) -> str:
    r"""Text without characters that steer: each is shown as �, so that nothing is hidden or moved.

    Example:
        >>> plain("conv\x1b[2J1 β")
        'conv�[2J1 β'
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join("�" if c not in _KEPT and unicodedata.category(c) in _UNSEEN else c for c in text)


class PlainConsole(Console):
    """A console that takes text as text: no markup, no emoji by name, no control characters.

    Names of modules, of folders and from files go through it as they are; colours are given to a `Text`.

    Args:
        **settings: Rich's own, such as `stderr` and `width`.
    """

    def __init__(self, **settings: Any) -> None:
        super().__init__(markup=False, emoji=False, highlight=False, **settings)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Rich's segments; those that Rich itself steers the terminal with are marked as such, and stay."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(plain(segment.text), segment.style)
