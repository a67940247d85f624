"""Random generators that a program makes for itself: `torch.Generator`, NumPy's, and `random.Random`.

Each evaluation continues them from where the training step found them. Their states are set and put back in place,
because a closure, a data set or a hook keeps a reference to the object itself.
"""

import contextlib
import random
from collections.abc import Generator, Iterable
from typing import Any

import numpy as np
import torch

GENERATORS = (torch.Generator, random.Random, np.random.Generator, np.random.RandomState, np.random.BitGenerator)


class Generators:
    """Some generators, with their states of now.

    Args:
        generators: Of the kinds in `GENERATORS`. One without a state, as `random.SystemRandom`, is left alone.

    Example:
        >>> noise = random.Random(0)
        >>> generators = Generators([noise])
        >>> first, there = noise.random(), noise.getstate()
        >>> with generators.replayed():
        ...     noise.random() == first
        True
        >>> noise.getstate() == there
        True
    """

    def __init__(self, generators: Iterable[Any]) -> None:
        self._states = _states(generators)

    def and_those(self, others: Iterable[Any]) -> "Generators":
        """These as they are kept, and others as they are now."""
        known = {id(generator) for generator, _ in self._states}
        both = Generators(each for each in others if id(each) not in known)
        both._states = [*self._states, *both._states]
        return both

    @contextlib.contextmanager
    def replayed(self) -> Generator[None]:
        """Inside the block they continue from the states of when this was made; afterwards they have their own back."""
        if not self._states:
            yield
            return
        present = _states(generator for generator, _ in self._states)
        try:
            _set(self._states)
            yield
        finally:
            try:
                _set(present)
            except KeyboardInterrupt:  # it came between two generators
                _set(present)
                raise


def state_of_generator(generator: Any) -> Any:
    """The state of a generator of any kind: a tensor, or numbers in dictionaries and tuples.

    Raises:
        NotImplementedError: if it has none, as `random.SystemRandom`.
    """
    if isinstance(generator, torch.Generator):
        return generator.get_state()
    if isinstance(generator, random.Random):
        return generator.getstate()
    if isinstance(generator, np.random.Generator):
        return generator.bit_generator.state
    return generator.state if isinstance(generator, np.random.BitGenerator) else generator.get_state(legacy=False)


def set_generator(generator: Any, state: Any) -> None:
    """Let a generator go on from a state that `state_of_generator` returned.

    Example:
        >>> noise = random.Random(0)
        >>> there = state_of_generator(noise)
        >>> first = noise.random()
        >>> set_generator(noise, there)
        >>> noise.random() == first
        True
    """
    if isinstance(generator, torch.Generator | np.random.RandomState):
        generator.set_state(state)
    elif isinstance(generator, random.Random):
        generator.setstate(state)
    elif isinstance(generator, np.random.Generator):
        generator.bit_generator.state = state
    else:
        generator.state = state


def seed_generator(generator: Any, seed: int) -> None:
    """Let a generator start anew from a seed; one without a state, as `random.SystemRandom`, is left alone.

    Example:
        >>> noise = np.random.default_rng()
        >>> seed_generator(noise, 0)
        >>> bool(noise.random() == np.random.default_rng(0).random())
        True
    """
    if isinstance(generator, torch.Generator):
        generator.manual_seed(seed)
    elif isinstance(generator, random.Random):
        generator.seed(seed)
    elif isinstance(generator, np.random.RandomState):
        generator.seed(seed % 2**32)
    else:
        bits = generator.bit_generator if isinstance(generator, np.random.Generator) else generator
        bits.state = type(bits)(seed).state


def _states(generators: Iterable[Any]) -> list[tuple[Any, Any]]:
    found: list[tuple[Any, Any]] = []
    for each in generators:
        with contextlib.suppress(NotImplementedError):
            found.append((each, state_of_generator(each)))
    return found


def _set(states: list[tuple[Any, Any]]) -> None:
    for generator, state in states:
        set_generator(generator, state)
