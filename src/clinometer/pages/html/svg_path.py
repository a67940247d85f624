"""Paths of an SVG in few letters: moved where they belong, without points that nobody would miss, by short steps."""

import re

_TOKEN = re.compile(r"[MLCQZz]|-?[\d.]+(?:e-?\d+)?")
_NEEDLESS = re.compile(r"(\.\d) (?=\.)")
_CIRCLE = re.compile(r"M( C){8} [Zz]$")  # as matplotlib writes the mark that is one
_NUMBERS = {"M": 2, "L": 2, "C": 6, "Q": 4, "Z": 0, "z": 0}
_NEAR = 0.25  # points: a point this near to the line between its neighbours is left out
_SKIPPED = 30  # points in a row, at most
_SCALE = 10  # coordinates are kept in tenths of a point

Place = tuple[float, float]
Bounds = tuple[float, float, float, float]  # left, top, right, bottom


def bounds(path: str, dx: float = 0.0, dy: float = 0.0) -> Bounds:
    """The box of a path's points, those that bend its curves among them, moved by (dx, dy).

    Example:
        >>> bounds("M 0 5 L 2 -1 z", dx=10)
        (10.0, -1.0, 12.0, 5.0)
    """
    numbers = [float(token) for token in _TOKEN.findall(path) if token not in _NUMBERS]
    xs, ys = numbers[::2] or [0.0], numbers[1::2] or [0.0]
    return min(xs) + dx, min(ys) + dy, max(xs) + dx, max(ys) + dy


def short_path(path: str, dx: float = 0.0, dy: float = 0.0) -> str:
    """The same path, moved by (dx, dy), with coordinates in tenths relative to the point before.

    Args:
        path: Of absolute commands M, L, C, Q and Z, as matplotlib writes them.
        dx: To the right.
        dy: Down.

    Example:
        >>> short_path("M 0 0 L 1.04 0 L 2 0 L 3.06 4.01 z", dx=10)
        'M10 0l2 0 1.1 4z'
    """
    tokens = _TOKEN.findall(path)
    box = bounds(path, dx, dy)
    if _CIRCLE.match(" ".join(each for each in tokens if each in _NUMBERS)) and _is_square(box):
        return _circle(box)
    written: list[str] = []
    at = (0, 0)
    line: list[Place] = []
    place = 0
    while place < len(tokens):
        command = tokens[place]
        count = _NUMBERS[command]
        numbers = [float(token) for token in tokens[place + 1 : place + 1 + count]]
        points = [(x + dx, y + dy) for x, y in zip(numbers[::2], numbers[1::2], strict=True)]
        place += 1 + count
        if command == "L":
            line += points
            continue
        at = _write_line(written, at, line)
        line = []
        if command == "M":
            at = _tenths(points[0])
            written.append(f"M{_joined([at])}")
            line = []
        elif points:
            steps = [_tenths(point) for point in points]
            written.append(command.lower() + _joined([(x - at[0], y - at[1]) for x, y in steps]))
            at = steps[-1]
        else:
            written.append("z")
    _write_line(written, at, line)
    return "".join(written)


def _is_square(box: Bounds) -> bool:
    return abs((box[2] - box[0]) - (box[3] - box[1])) < 1 / _SCALE


def _circle(box: Bounds) -> str:
    """A circle by two arcs, which are a third of its eight curves."""
    left, top, right, bottom = box
    start, (_, across) = _tenths(((left + right) / 2, bottom)), _tenths((0.0, bottom - top))
    radius, high = (_number(each) for each in (round(across / 2), across))
    return f"M{_joined([start])}a{radius} {radius} 0 1 0 0-{high}a{radius} {radius} 0 1 0 0 {high}z"


def _write_line(written: list[str], at: tuple[int, int], line: list[Place]) -> tuple[int, int]:
    """Write the points of a line that matter, by their steps from each other; return where it ends."""
    steps: list[tuple[int, int]] = []
    for point in _simplified((at[0] / _SCALE, at[1] / _SCALE), line):
        x, y = _tenths(point)
        if (x, y) != at or not steps:
            steps.append((x - at[0], y - at[1]))
            at = (x, y)
    if steps:
        written.append(f"l{_joined(steps)}")
    return at


def _simplified(start: Place, line: list[Place]) -> list[Place]:
    """Points without those that lie on the way from the last kept one to one that follows."""
    kept: list[Place] = []
    skipped: list[Place] = []
    for place, point in enumerate(line):
        last = kept[-1] if kept else start
        skipped.append(point)
        near = place + 1 < len(line) and all(_is_on_the_way(each, last, line[place + 1]) for each in skipped)
        if not near or len(skipped) > _SKIPPED:
            kept.append(point)
            skipped = []
    return kept


def _is_on_the_way(point: Place, start: Place, end: Place) -> bool:
    dx, dy = end[0] - start[0], end[1] - start[1]
    px, py = point[0] - start[0], point[1] - start[1]
    length = dx * dx + dy * dy
    along = px * dx + py * dy
    if not length:
        return px * px + py * py <= _NEAR**2
    return 0 <= along <= length and (px * dy - py * dx) ** 2 <= _NEAR**2 * length


def _tenths(point: Place) -> tuple[int, int]:
    return round(_SCALE * point[0]), round(_SCALE * point[1])


def _joined(steps: list[tuple[int, int]]) -> str:
    """Numbers with as few letters between them as SVG needs: none before a minus, or between .5 and .3."""
    text = " ".join(_number(value) for step in steps for value in step)
    return _NEEDLESS.sub(r"\1", text).replace(" -", "-")


def _number(tenths: int) -> str:
    whole, part = divmod(abs(tenths), _SCALE)
    sign = "-" if tenths < 0 else ""
    return f"{sign}{whole}" if not part else f"{sign}{whole or ''}.{part}"
