"""A console that prints text from files as text."""

from collections.abc import Iterable
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from clinometer.readable.text import plain


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
