"""The marks of lines as polygons, for legends and for the script, which draws the same."""

import math

Shape = tuple[int, int, float]  # corners; where the first points, in degrees from the right; inner radius of a star

_SHAPES: dict[str, Shape] = {
    "o": (16, 0, 1),
    "s": (4, 45, 1),
    "D": (4, 0, 1),
    "^": (3, -90, 1),
    "v": (3, 90, 1),
    "P": (4, 0, 0.4),
    "*": (5, -90, 0.45),
    "p": (5, -90, 1),
    "h": (6, 0, 1),
    "<": (3, 180, 1),
    ">": (3, 0, 1),
}


def shape_of(mark: str) -> Shape | None:
    """The polygon of a mark of matplotlib; none for one that lines do not have.

    Example:
        >>> shape_of("D"), shape_of("")
        ((4, 0, 1), None)
    """
    return _SHAPES.get(mark)


def shape_path(shape: Shape, x: float, y: float, radius: float) -> str:
    """A polygon around a place, as the path of an SVG.

    Example:
        >>> shape_path((4, 0, 1), 10, 10, 4)
        'M14 10L10 14L6 10L10 6z'
    """
    corners, turn, inner = shape
    count = corners if inner == 1 else 2 * corners
    points: list[str] = []
    for place in range(count):
        angle = math.radians(turn) + 2 * math.pi * place / count
        reach = radius * (inner if place % 2 and count > corners else 1)
        points.append(f"{x + reach * math.cos(angle):.3g} {y + reach * math.sin(angle):.3g}")
    return f"M{'L'.join(points)}z"
