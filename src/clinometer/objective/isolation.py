"""What evaluations borrow from the program and give back: random streams, autocast, and whether code is compiled."""

import contextlib
from collections.abc import Generator

from clinometer.objective.precision import Precision, check_precision, eager
from clinometer.objective.rng import RngState


class Isolation:
    """Keeps an objective's evaluations apart from the program. Blocks nest: the outermost one alone does the work.

    Args:
        precision: The precision inside.

    Example:
        >>> import torch
        >>> isolation, before = Isolation("float32"), RngState.now()
        >>> with isolation.block(), isolation.block():
        ...     draw = torch.rand(())
        >>> torch.equal(before.cpu, RngState.now().cpu)
        True
    """

    def __init__(self, precision: Precision) -> None:
        check_precision(precision)
        self._precision: Precision = precision
        self._entered = False

    @contextlib.contextmanager
    def block(self) -> Generator[None]:
        """Inside, random streams may be drawn from, code runs uncompiled, and autocast is as `precision` says."""
        if self._entered:
            yield
            return
        try:
            self._entered = True
            with RngState.now().replayed(), eager(self._precision):
                yield
        finally:
            self._entered = False
