"""A function on a grid, evaluated where it bends and interpolated where it does not.

Cells of the grid are split into four, the one first whose interpolation is worst over the largest area, until all are
good enough or the budget is spent.
"""

import heapq
import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

Values = np.ndarray[Any, Any]
Place = tuple[int, int]  # indices into the grid

_FIRST = 5  # lines of the grid, each way, that are evaluated to begin with
_FALL = 0.5  # of the error where the spacing is halved: at a kink; to a quarter where there are two derivatives


@dataclass(frozen=True)
class Refined:
    """Values on a grid, and how they were found."""

    values: Values  # (a, b) NaN where nothing is known
    evaluated: Values  # (a, b) whether the value was evaluated; it is interpolated elsewhere
    error: float  # the largest estimated relative error of what was interpolated


@dataclass(order=True)
class _Cell:
    """A rectangle of the grid whose four corners are evaluated."""

    priority: tuple[float, int]  # the worst first; in the order of their making where equal
    top: int = field(compare=False)
    bottom: int = field(compare=False)
    left: int = field(compare=False)
    right: int = field(compare=False)
    error: float = field(compare=False)  # estimated, relative

    @property
    def middle(self) -> Place:
        return (self.top + self.bottom) // 2, (self.left + self.right) // 2

    @property
    def splits(self) -> bool:
        """Whether there is a grid point between its corners."""
        return self.bottom - self.top > 1 or self.right - self.left > 1

    def between(self) -> list[Place]:
        """The middles of its sides and its own, where they are grid points other than its corners."""
        row, column = self.middle
        rows, columns = {self.top, row, self.bottom}, {self.left, column, self.right}
        corners = set(itertools.product((self.top, self.bottom), (self.left, self.right)))
        return sorted(set(itertools.product(rows, columns)) - corners)

    def quarters(self) -> Iterator[tuple[int, int, int, int]]:
        row, column = self.middle
        for top, bottom in _halves(self.top, row, self.bottom):
            for left, right in _halves(self.left, column, self.right):
                yield top, bottom, left, right


class Refinement:
    """Refines one function.

    Args:
        value: The function, at the indices of a grid point.
        rows, columns: The coordinates of the grid's lines, rising.
        tolerance: The relative error, |interpolated − value| / max(|interpolated|, |value|), that is good enough.
        budget: How many points may be evaluated.
    """

    def __init__(
        self,
        value: Callable[[int, int], float],
        rows: Sequence[float],
        columns: Sequence[float],
        tolerance: float,
        budget: int,
    ) -> None:
        self._value, self._tolerance, self._budget = value, tolerance, budget
        self._rows, self._columns = np.asarray(rows), np.asarray(columns)
        self._found: dict[Place, float] = {}
        self._waiting: list[_Cell] = []  # a heap of cells that are not good enough
        self._good: list[_Cell] = []
        self._made = itertools.count()

    def run(self) -> Refined:
        """Refine until all is good enough, or the budget is spent."""
        rows, columns = (_first(len(each)) for each in (self._rows, self._columns))
        for place in itertools.product(rows, columns):
            self._evaluate(place)
        for top, bottom in itertools.pairwise(rows):
            for left, right in itertools.pairwise(columns):
                self._keep((top, bottom, left, right), math.inf)
        while self._waiting and len(self._found) + self._price(self._waiting[0]) <= self._budget:
            self._split(heapq.heappop(self._waiting))
        return self._result()

    def _price(self, cell: _Cell) -> int:
        return sum(place not in self._found for place in cell.between())

    def _split(self, cell: _Cell) -> None:
        """Evaluate what lies between the corners; how wrong interpolation was there says how wrong it still is."""
        surplus: dict[Place, float] = {}
        for place in cell.between():
            self._evaluate(place)
            surplus[place] = relative_error(self._interpolated(cell, place), self._found[place])
        for corners in cell.quarters():
            top, bottom, left, right = corners
            seen = [surplus.get(place, 0.0) for place in itertools.product((top, bottom), (left, right))]
            self._keep(corners, _FALL * max(seen))

    def _keep(self, corners: tuple[int, int, int, int], error: float) -> None:
        """File a cell by its error; where finite and other losses meet nothing can be interpolated."""
        top, bottom, left, right = corners
        finite = [math.isfinite(self._found[place]) for place in itertools.product((top, bottom), (left, right))]
        if not math.isinf(error) and not all(finite):
            error = 1.0 if any(finite) else 0.0
        area = (bottom - top) * (right - left)
        cell = _Cell((-error * area, next(self._made)), *corners, error)
        if cell.splits and error > self._tolerance:
            heapq.heappush(self._waiting, cell)
        else:
            self._good.append(cell)

    def _evaluate(self, place: Place) -> None:
        if place not in self._found:
            self._found[place] = self._value(*place)

    def _interpolated(self, cell: _Cell, place: Place) -> float:
        """Bilinear between the corners; NaN unless all of them are finite."""
        corners = [self._found[each] for each in itertools.product((cell.top, cell.bottom), (cell.left, cell.right))]
        if not all(map(math.isfinite, corners)):
            return math.nan
        down = _share(self._rows, cell.top, cell.bottom, place[0])
        along = _share(self._columns, cell.left, cell.right, place[1])
        above, below = (_mix(corners[i], corners[i + 1], along) for i in (0, 2))
        return _mix(above, below, down)

    def _result(self) -> Refined:
        shape = len(self._rows), len(self._columns)
        values, evaluated = np.full(shape, math.nan), np.zeros(shape, bool)
        cells = [cell for cell in (*self._good, *self._waiting) if cell.splits]
        # Small cells last: on a side that two cells share, theirs is the better interpolation.
        for cell in sorted(cells, key=lambda each: (each.top - each.bottom) * (each.right - each.left)):
            for place in itertools.product(range(cell.top, cell.bottom + 1), range(cell.left, cell.right + 1)):
                values[place] = self._interpolated(cell, place)
        for place, value in self._found.items():
            values[place], evaluated[place] = value, True
        return Refined(values, evaluated, max((cell.error for cell in cells), default=0.0))


def relative_error(interpolated: float, value: float) -> float:
    """How wrong an interpolation is, relative to the larger of both: 0 to 2; 1 where only one of them is finite.

    Example:
        >>> relative_error(3.0, 4.0), relative_error(0.0, 0.0), relative_error(float("nan"), 1.0)
        (0.25, 0.0, 1.0)
    """
    if not (math.isfinite(interpolated) and math.isfinite(value)):
        return float(math.isfinite(interpolated) or math.isfinite(value))
    largest = max(abs(interpolated), abs(value))
    return abs(interpolated - value) / largest if largest else 0.0


def _first(count: int) -> list[int]:
    """A few indices spread over all, with the first and the last one."""
    return sorted({round(index * (count - 1) / (_FIRST - 1)) for index in range(_FIRST)})


def _halves(start: int, middle: int, end: int) -> list[tuple[int, int]]:
    return [(start, middle), (middle, end)] if start < middle < end else [(start, end)]


def _share(lines: Values, start: int, end: int, index: int) -> float:
    return float((lines[index] - lines[start]) / (lines[end] - lines[start])) if end > start else 0.0


def _mix(first: float, second: float, share: float) -> float:
    return first + share * (second - first)
