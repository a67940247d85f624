"""Short paths are the paths that they were made of."""

import re

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from clinometer.pages.html.svg_path import bounds, short_path

NUMBERS = st.floats(-500, 500).map(lambda value: round(value, 4))
PLACES = st.lists(st.tuples(NUMBERS, NUMBERS), min_size=1, max_size=60)


def corners(path: str) -> np.ndarray:
    """The corners of a short path of lines, by the rules of SVG: after `l` each pair is a step from the last place."""
    found: list[tuple[float, float]] = []
    for command, rest in re.findall(r"([Ml])([^Mlz]*)", path):
        numbers = [float(number) for number in re.findall(r"-?(?:\d+\.?\d*|\.\d+)", rest)]
        for x, y in zip(numbers[::2], numbers[1::2], strict=True):
            last = found[-1] if found and command == "l" else (0.0, 0.0)
            found.append((last[0] + x, last[1] + y))
    return np.array(found)


def distance(point: np.ndarray, line: np.ndarray) -> float:
    """How far a point is from the nearest place on a line of corners."""
    if len(line) == 1:
        return float(np.hypot(*(point - line[0])))
    starts, ends = line[:-1], line[1:]
    along = ends - starts
    lengths = np.maximum((along**2).sum(1), 1e-12)
    share = np.clip(((point - starts) * along).sum(1) / lengths, 0, 1)
    return float(np.hypot(*(starts + share[:, None] * along - point).T).min())


@given(PLACES, NUMBERS, NUMBERS)
def test_no_point_is_far_from_the_short_path(places: list[tuple[float, float]], dx: float, dy: float) -> None:
    """Plane geometry: each point lies within the tolerance (0.25) and half a tenth each way (0.08) of it; ends stay."""
    written = "M " + " L ".join(f"{x} {y}" for x, y in places)
    short = corners(short_path(written, dx, dy))
    moved = np.array(places) + np.array([dx, dy])
    assert max(distance(point, short) for point in moved) < 0.34
    assert np.allclose(short[0], moved[0], atol=0.051)
    assert np.allclose(short[-1], moved[-1], atol=0.051)
    assert len(short) <= len(places)


def test_curves_and_closed_parts_keep_their_kind() -> None:
    """By hand: steps of a curve count from where it begins, and a new part begins where it says."""
    assert short_path("M 1 1 C 2 1 3 2 3 3 z M 5 5 L 6 5") == "M1 1c1 0 2 1 2 2zM5 5l1 0"
    assert bounds("M 1 1 C 2 -1 3 2 3 3 z") == (1, -1, 3, 3)
