"""Colours of figures on a light and on a dark page: each is a CSS variable, lighter where the page is dark.

A figure's drawing says `var(--k0072b2)`; the style sheet of its page says what that is, in either scheme.
"""

import colorsys
import re

_DARK_PAGE = (0.078, 0.094, 0.118)  # --paper of the dark scheme in page.css
_TINT = 0.85  # lightness
_CONTRAST = 4.5  # of a line and of its name in that colour


def variable(colour: str) -> str:
    """The variable that stands for #RRGGBB; black is the colour of text, and white that of the page.

    Example:
        >>> variable("#0072B2"), variable("#000000"), variable("#ffffff")
        ('var(--k0072b2)', 'currentColor', 'var(--paper)')
    """
    digits = colour.lower().lstrip("#")
    return {"000000": "currentColor", "ffffff": "var(--paper)"}.get(digits, f"var(--k{digits})")


def colour_rules(body: str) -> str:
    """CSS for the variables that a page uses, in a light and in a dark scheme."""
    used = sorted(set(re.findall(r"var\(--k([0-9a-f]{6})\)", body)) | set(re.findall(r'"#([0-9a-f]{6})"', body)))
    light = "".join(f"--k{digits}:#{digits};" for digits in used)
    dark = "".join(f"--k{digits}:{on_dark(digits)};" for digits in used)
    return f":root{{{light}}}@media screen and (prefers-color-scheme:dark){{:root{{{dark}}}}}\n" if used else ""


def on_dark(digits: str) -> str:
    """A colour of the same hue that stands out from a dark page; one that does already is left alone.

    A tint, which hardly stands out from a light page, hardly stands out from a dark one either.
    """
    red, green, blue = (int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4))
    hue, lightness, saturation = colorsys.rgb_to_hls(red, green, blue)
    rgb = (red, green, blue)
    if lightness > _TINT:
        return _hex(colorsys.hls_to_rgb(hue, 1.1 - lightness, saturation / 2))
    while contrast(rgb, _DARK_PAGE) < _CONTRAST and lightness < 1:
        lightness = min(lightness + 0.02, 1.0)
        rgb = colorsys.hls_to_rgb(hue, lightness, saturation)
    return _hex(rgb)


def _hex(rgb: tuple[float, float, float]) -> str:
    return "#" + "".join(f"{round(255 * part):02x}" for part in rgb)


def contrast(one: tuple[float, float, float], other: tuple[float, float, float]) -> float:
    """The contrast ratio of two colours by WCAG 2, from 1 to 21.

    Example:
        >>> contrast((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
        21.0
    """
    low, high = sorted(map(_luminance, (one, other)))
    return (high + 0.05) / (low + 0.05)


def _luminance(rgb: tuple[float, float, float]) -> float:
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in rgb]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
