"""Labels of ticks say where the ticks are."""

import re

import numpy as np
import pytest

from clinometer.plots.matplotlib import draw
from clinometer.studies.figure import Figure, Panel, Series

DIGITS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻−", "0123456789--")


def number(text: str) -> float:
    """What a reader makes of a label."""
    found = re.fullmatch(r"(-?)(?:([\d.]+)×)?10([⁰¹²³⁴⁵⁶⁷⁸⁹⁻]+)", text.replace("−", "-"))
    if found is None:
        return float(text.translate(DIGITS))
    return float(f"{found[1]}{found[2] or 1}e{found[3].translate(DIGITS)}")


@pytest.mark.parametrize("scale", ["linear", "log"])
@pytest.mark.parametrize(
    ("low", "high"),
    [(1e-8, 1e12), (1e-6, 1.0), (0.2, 3.0), (1.0, 1e40), (4e3, 4.7e5), (1.45, 1.8), (0.999, 1.0), (1e7, 1e7 + 1e-2)],
)
def test_labels_are_read_as_the_places_of_their_ticks(scale: str, low: float, high: float) -> None:
    """By reading each label as a number, with what stands above the axis added: to a hundredth of the least step."""
    y = np.geomspace(low, high, 20)
    canvas = draw(Figure("", "", (Panel("", "x", "y", (Series("mine", 0, np.arange(20), y),), yscale=scale),)))
    canvas.draw_without_rendering()
    axis = canvas.axes[0].yaxis
    ticks = axis.get_majorticklocs()
    labels = [tick.label1.get_text() for tick in axis.get_major_ticks()]
    above = axis.get_offset_text().get_text()
    read = np.array([number(label) for label in labels]) + (number(above.lstrip("+")) if above else 0.0)
    assert len(ticks) >= 2
    np.testing.assert_allclose(read, ticks, atol=0.01 * float(np.diff(ticks).min()), rtol=1e-6 if not above else 0)
    assert max(map(len, labels)) <= 12
    assert not above or high - low < 0.01 * high, "only numbers that hardly differ leave a part of them out"
