"""Small pieces of HTML for notebooks: styles stand within them, colours are the reader's own, nothing is fetched."""

from collections.abc import Sequence
from html import escape

from clinometer.readable.text import plain

LINE = "1px solid rgba(128,128,128,.45)"  # seen on light and on dark
_CELL = f"padding:.15em .7em;border:0;border-bottom:{LINE};text-align:"


def text(value: object) -> str:
    r"""A value as HTML shows it: escaped, without characters that steer.

    Example:
        >>> text("<b>conv\x1b</b>")
        '&lt;b&gt;conv�&lt;/b&gt;'
    """
    return escape(plain(str(value)))


def table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table; the first column is text and the others numbers.

    Args:
        headings: As text.
        rows: Cells as HTML: `text` makes it of anything.
    """
    heads = "".join(
        f'<th scope="col" style="{_CELL}{_side(column)};font-weight:600">{text(heading)}</th>'
        for column, heading in enumerate(headings)
    )
    lines = "".join(
        "<tr>" + "".join(f'<td style="{_CELL}{_side(column)}">{cell}</td>' for column, cell in enumerate(row)) + "</tr>"
        for row in rows
    )
    style = "border-collapse:collapse;font-size:inherit;font-variant-numeric:tabular-nums;color:inherit;background:none"
    return f'<table style="{style}"><thead><tr>{heads}</tr></thead><tbody>{lines}</tbody></table>'


def lines(value: object) -> str:
    """What an object says of itself in several lines, as it stands; its repr if it is half made."""
    try:
        told = str(value)
    except Exception:
        told = repr(value)
    return f'<pre style="margin:0;color:inherit;background:none">{text(told)}</pre>'


def _side(column: int) -> str:
    return "right" if column else "left"
