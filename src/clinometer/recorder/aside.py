"""An object's attributes put aside for a while, for a trainer whose loss keeps sums and lists on the trainer itself."""

import contextlib
from collections.abc import Collection, Generator
from typing import Any

from clinometer.objective.module_state import copied


@contextlib.contextmanager
def aside(thing: Any, but: Collection[str] = (), **instead: Any) -> Generator[None]:
    """Inside the block `thing` has copies of its containers and tensors, and `instead`; afterwards its own back.

    Args:
        thing: Any object with a `__dict__`. Objects that it holds are not copied.
        but: Attributes that are used as they are, such as large data.
        instead: Values for the block.

    Example:
        >>> class Trainer:
        ...     def __init__(self):
        ...         self.losses, self.log = [1.0], print
        >>> trainer = Trainer()
        >>> with aside(trainer, log=lambda _: None):
        ...     trainer.losses.append(2.0), trainer.log("twice")
        (None, None)
        >>> trainer.losses
        [1.0]
    """
    own = vars(thing)
    memo: dict[int, Any] = {}
    thing.__dict__ = {name: value if name in but else copied(value, memo) for name, value in own.items()} | instead
    try:
        yield
    finally:
        thing.__dict__ = own
