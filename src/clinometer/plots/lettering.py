"""How wide words are in the font of a figure, and words broken into lines that fit."""

import functools
import warnings
from typing import Any

_PIXELS = 1.03  # what drawing letters on whole pixels may add


@functools.lru_cache(maxsize=4096)
def text_width(text: str, size: float) -> float:
    r"""Points that a line of text takes, of a font of `size` points; of several lines the widest.

    Example:
        >>> text_width("WWWW", 10) > text_width("iiii", 10)
        True
    """
    from matplotlib.font_manager import FontProperties

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from (current )?font")
        lines = text.replace(r"\$", "$").split("\n")
        return _PIXELS * max(
            _letters().get_text_width_height_descent(line, FontProperties(size=size), False)[0] for line in lines
        )


@functools.lru_cache(maxsize=1)
def _letters() -> Any:
    from matplotlib.textpath import TextToPath

    return TextToPath()


def fitted(text: str, size: float, width: float) -> str:
    r"""Text in as many lines as it takes to stay within `width` points; a word that is longer is cut.

    Example:
        >>> fitted("one two three", 10, 45).split("\n")
        ['one two', 'three']
    """
    lines: list[str] = []
    for word in text.split(" "):
        joined = f"{lines[-1]} {word}" if lines else word
        if lines and text_width(joined, size) > width:
            lines.append(_cut(word, size, width))
        else:
            lines[-1:] = [joined if lines else _cut(word, size, width)]
    return "\n".join(lines)


def _cut(word: str, size: float, width: float) -> str:
    if text_width(word, size) <= width:
        return word
    kept = len(word)
    while kept > 1 and text_width(f"{word[:kept]}…", size) > width:
        kept -= 1
    return f"{word[:kept]}…"
