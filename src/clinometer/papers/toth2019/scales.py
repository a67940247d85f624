"""The scales of hearing: from what a listener tells apart to hertz and amplitudes."""

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:  # what is checked before a run is planned needs no torch
    from torch import Tensor

Number = TypeVar("Number", float, "Tensor")

LOWEST = 100.0  # Hz, below what the place 0 gives at any spread
EXPONENT, OFFSET = 2.1, 0.85  # of the map from places on the cochlea to frequencies
LOUDNESS_EXPONENT = 0.3


def frequency(place: Number, spread: float) -> Number:
    """The frequency that is heard at a place on the cochlea.

        f = A (10^{2.1 x} − 0.85) + 100 Hz

    Args:
        place: x in [0, 1], from the apex to the base.
        spread: A, in Hz; 165.4 for people.
    Source: Greenwood (1990), J. Acoust. Soc. Am. 87, 2592, for the map without the 100 Hz.

    Example:
        >>> round(frequency(0.0, 30.0), 3), round(frequency(1.0, 30.0), 1)
        (104.5, 3851.3)
    """
    return spread * (10 ** (EXPONENT * place) - OFFSET) + LOWEST


def amplitude(loudness: "Tensor") -> "Tensor":
    """The amplitude that sounds so loud, at most 1: min(max(l, 0)^{1/0.3}, 1).

    Source: Stevens (1957), Psychol. Rev. 64, 153: loudness grows as the 0.3rd power.
    """
    return loudness.clamp(0.0, 1.0).pow(1 / LOUDNESS_EXPONENT)


def highest_frequency(spread: float, sections: int, change: float, *, product: bool) -> float:
    """The highest frequency that a stream can reach at any instant, in Hz.

    Where the phase is the integral of the frequency, that is the one at place 1. Where it is f(t)·t, as in the author's
    code, the instantaneous frequency is f + t f′: after j sections that rise by `change / sections` each, it is
    f₁ + j (f₁ − f₀), largest at the end of the last rise.

    Args:
        spread: A of `frequency`.
        sections: M.
        change: The largest change of place over all sections.
        product: Whether the phase is f(t)·t.

    Example:
        >>> round(highest_frequency(30.0, 2, 0.5, product=False)), round(highest_frequency(30.0, 2, 0.5, product=True))
        (3851, 6501)
    """
    top = frequency(1.0, spread)
    rise = top - frequency(max(0.0, 1 - change / sections), spread)
    return top + (sections - 1) * rise if product else top


def azimuth_noise(azimuth: "Tensor") -> "Tensor":
    """How precisely people locate a sound, as a standard deviation in radians: (0.0647 e^{|θ|} − 0.0506) / 4."""
    return (0.0647 * azimuth.abs().exp() - 0.0506) / 4
