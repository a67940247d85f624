"""What evaluations borrow from the program and give back: random streams, autocast, compilation and anomaly detection.

They are the process's own, so one thread evaluates at a time: where several train and measure, the others wait.
"""

import contextlib
import os
import threading
from collections.abc import Generator
from typing import Any

import torch

from clinometer.objective.precision import Precision, check_precision, eager
from clinometer.objective.rng import RngState

_one_at_a_time: Any = threading.RLock()
if hasattr(os, "register_at_fork"):  # a child has none of its parent's threads, and so nobody who would release it
    os.register_at_fork(after_in_child=_one_at_a_time._at_fork_reinit)


class Isolation:
    """Keeps an objective's evaluations apart from the program. Blocks nest: the outermost one alone does the work.

    Args:
        precision: The precision inside.

    Example:
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
        """Inside, random streams may be drawn from, code runs uncompiled, and autocast is as `precision` says.

        NaN is data here, so torch's detection of anomalies is off.
        """
        with _one_at_a_time:
            if self._entered:
                yield
                return
            try:
                self._entered = True
                with RngState.put_back(), eager(self._precision), torch.autograd.set_detect_anomaly(False):
                    yield
            finally:
                self._entered = False
