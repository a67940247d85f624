"""The state of every random stream that a loss function may draw from.

Two evaluations are comparable only if dropout and noise draw the same in both, and an instrument leaves no trace only
if the run's next draw is the one it would have been. Both need the streams to be replaced and put back.
"""

import contextlib
import operator
import random
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True)
class RngState:
    """The streams of Python, NumPy and torch (CPU, and CUDA or MPS once they are in use).

    Generators that a program makes for itself (`torch.Generator`, `np.random.default_rng`) are not among them; see
    `Generators`.

    Example:
        >>> state = RngState.now()
        >>> with state.replayed():
        ...     first = torch.rand(())
        >>> with state.replayed():
        ...     second = torch.rand(())
        >>> bool(first == second)
        True
    """

    cpu: Tensor  # (bytes,) uint8
    devices: tuple[Tensor, ...]  # one per CUDA device, or the MPS one
    python: Any
    numpy: Any

    @classmethod
    def now(cls) -> "RngState":
        """The streams as they stand."""
        return cls(torch.get_rng_state(), _device_states(), random.getstate(), np.random.get_state())

    @classmethod
    def seeded(cls, seed: int) -> "RngState":
        """The streams as `seed` would start them; the present ones are left alone."""
        present = cls.now()
        try:
            torch.manual_seed(seed)
            random.seed(seed)
            np.random.seed(seed % 2**32)
            return cls.now()
        finally:
            present.restore()

    @classmethod
    def of(cls, seed: "int | RngState | None") -> "RngState":
        """The streams that a seed stands for: None for those of now, and streams for themselves."""
        if isinstance(seed, RngState):
            return seed
        return cls.now() if seed is None else cls.seeded(operator.index(seed))

    def restore(self) -> None:
        """Make these the present streams."""
        torch.set_rng_state(self.cpu)
        if torch.cuda.is_initialized():
            torch.cuda.set_rng_state_all(list(self.devices))
        elif self.devices and torch.backends.mps.is_available():
            torch.mps.set_rng_state(self.devices[0])
        random.setstate(self.python)
        np.random.set_state(self.numpy)

    @classmethod
    @contextlib.contextmanager
    def put_back(cls) -> Generator[None]:
        """Inside the block the streams may be drawn from; afterwards they stand where they stood before."""
        present = cls.now()
        try:
            yield
        finally:
            present.restore()

    @contextlib.contextmanager
    def replayed(self) -> Generator[None]:
        """Inside the block these are the program's streams; afterwards it has its own back, unchanged."""
        with RngState.put_back():
            self.restore()
            yield


def _device_states() -> tuple[Tensor, ...]:
    # Asking a device that the program has not touched would start it, and cost memory and seconds.
    if torch.cuda.is_initialized():
        return tuple(torch.cuda.get_rng_state_all())
    if torch.backends.mps.is_available():
        return (torch.mps.get_rng_state(),)
    return ()
