"""Text that comes from elsewhere, as matplotlib shall show it."""

from clinometer.readable.text import plain

_SHOWN_LETTERS = 80  # of a name, which may be as long as whoever named it liked


def label(text: str) -> str:
    r"""Text as matplotlib shall show it: a dollar is a dollar, what begins with _ is not left out, and it has an end.

    Example:
        >>> label("_module.x^{2}$"), len(label("x" * 1000))
        (' _module.x^{2}\\$', 80)
    """
    short = text if len(text) <= _SHOWN_LETTERS else f"{text[: _SHOWN_LETTERS - 1]}…"
    return plain(" " * short.startswith("_") + short).replace("$", r"\$")
