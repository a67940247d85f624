"""Colours of figures: a neutral palette that colour-blind readers can tell apart, and a figure's own beside it."""

from collections.abc import Mapping

from clinometer.studies.figure import Colour

# Okabe and Ito's colours, with a dark red for the seventh.
NEUTRAL = ("#0072B2", "#D55E00", "#009E73", "#E69F00", "#56B4E9", "#882255", "#CC79A7")
NAMED = {"reference": "#555555", "plain": "#BBBBBB", "alarm": "#C00000"}


def resolve(colour: Colour, palette: Mapping[str, str]) -> str:
    """The #RRGGBB of a colour of a figure.

    Args:
        colour: A number counts through `NEUTRAL`, and begins again after its last; a text is a key of `palette`, or
            "reference", "plain" or "alarm".
        palette: The figure's own colours.

    Raises:
        ValueError: if a key is unknown.

    Example:
        >>> resolve(0, {}), resolve(7, {}), resolve("plain", {}), resolve("batch", {"batch": "#123456"})
        ('#0072B2', '#0072B2', '#BBBBBB', '#123456')
    """
    if isinstance(colour, int):
        return NEUTRAL[colour % len(NEUTRAL)]
    known = NAMED | dict(palette)
    if colour not in known:
        raise ValueError(f"no colour {colour!r}; this figure has {', '.join(known)}, and numbers for neutral colours.")
    return known[colour]


def is_repeated(colour: Colour) -> bool:
    """Whether an earlier number has the same colour, so that a line must differ by its dashes."""
    return isinstance(colour, int) and colour >= len(NEUTRAL)
