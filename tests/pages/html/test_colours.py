"""Colours of figures on a dark page."""

from hypothesis import given
from hypothesis import strategies as st

from clinometer.pages.html.colours import colour_rules, contrast, on_dark, variable
from clinometer.plots.palette import NEUTRAL

DARK = (0x14 / 255, 0x18 / 255, 0x1E / 255)  # --paper of page.css


def rgb(colour: str) -> tuple[float, float, float]:
    red, green, blue = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    return red, green, blue


def test_contrast_is_that_of_the_guidelines() -> None:
    """WebAIM's published example: #777777 on white has 4.48 to 1, just below what text needs."""
    assert round(contrast(rgb("#777777"), (1, 1, 1)), 2) == 4.48


@given(st.integers(0, 0xFFFFFF))
def test_a_colour_of_a_line_stands_out_from_a_dark_page(number: int) -> None:
    """Any of the 16 million but a tint reaches the contrast of text (4.5), less what rounding to 8 bits takes."""
    red, green, blue = rgb(f"#{number:06x}")
    tint = max(red, green, blue) + min(red, green, blue) > 1.7
    assert tint or contrast(rgb(on_dark(f"{number:06x}")), DARK) > 4.4


def test_the_style_sheet_has_the_colours_that_a_page_uses_and_no_other() -> None:
    """The page's text says which: those of drawings, and those of data blocks."""
    rules = colour_rules(f'<path stroke="{variable(NEUTRAL[0])}"/><script>{{"colour":"#d55e00"}}</script>')
    assert rules.count("--k0072b2:") == 2
    assert rules.count("--kd55e00:") == 2
    assert rules.count("--k") == 4
