"""Temporary changes to a trainer's objects: a patched method, and attributes set aside."""

import contextlib
from collections.abc import Callable, Collection, Generator
from typing import Any

from clinometer.objective.copies import Memo, copied


class PatchedMethod:
    """Turns calls of `owner.name(...)` into calls of `function(method, ...)`, until `remove`.

    A method may be patched several times, and the patches removed in any order.

    Example:
        >>> import types
        >>> trainer = types.SimpleNamespace(step=lambda x: x + 1)
        >>> twice = PatchedMethod(trainer, "step", lambda step, x: step(step(x)))
        >>> trainer.step(0)
        2
        >>> twice.remove()
        >>> trainer.step(0)
        1
    """

    def __init__(self, owner: Any, name: str, function: Callable[..., Any]) -> None:
        self._owner, self._name, self._function = owner, name, function
        self._on_instance = name in vars(owner)  # otherwise it is the class's, and comes back when ours is deleted
        self._method = getattr(owner, name)
        self._removed = False
        setattr(owner, name, self)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._method(*args, **kwargs) if self._removed else self._function(self._method, *args, **kwargs)

    def __reduce__(self) -> tuple[Callable[[Any], Any], tuple[Any]]:
        """A copy of the owner has its method as it was."""
        return _itself, (self._method,)

    def remove(self) -> None:
        """Restore the method; under a later patch that is still there, have it called as it was."""
        self._removed = True
        while isinstance(top := vars(self._owner).get(self._name), PatchedMethod) and top._removed:
            if top._on_instance:
                setattr(self._owner, self._name, top._method)
            else:
                delattr(self._owner, self._name)


def _itself(method: Any) -> Any:
    return method


@contextlib.contextmanager
def temporary_attributes(owner: Any, shared: Collection[str] = (), **values: Any) -> Generator[None]:
    """Inside the block `owner` has copies of its containers and tensors, and `values`; afterwards its own back.

    For a trainer whose loss keeps sums and lists on the trainer itself.

    Args:
        owner: Any object with a `__dict__`. Objects in it that are neither containers nor tensors are not copied.
        shared: Attributes that are not copied, such as large data.
        values: Attributes to set inside the block.

    Example:
        >>> class Trainer:
        ...     def __init__(self):
        ...         self.losses, self.log = [1.0], print
        >>> trainer = Trainer()
        >>> with temporary_attributes(trainer, log=lambda _: None):
        ...     trainer.losses.append(2.0), trainer.log("twice")
        (None, None)
        >>> trainer.losses
        [1.0]
    """
    own = vars(owner)
    memo = Memo()
    owner.__dict__ = {n: value if n in shared else copied(value, memo) for n, value in own.items()} | values
    try:
        yield
    finally:
        owner.__dict__ = own
