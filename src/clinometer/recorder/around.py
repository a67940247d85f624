"""A function put around one object's method for a while, as a recorder does to a trainer's training step."""

from collections.abc import Callable
from typing import Any


class Around:
    """Calls of `owner.name(...)` become calls of `function(method, ...)`, until `remove`.

    Several may lie around one method, and be removed in any order.

    Example:
        >>> import types
        >>> trainer = types.SimpleNamespace(step=lambda x: x + 1)
        >>> twice = Around(trainer, "step", lambda step, x: step(step(x)))
        >>> trainer.step(0)
        2
        >>> twice.remove()
        >>> trainer.step(0)
        1
    """

    def __init__(self, owner: Any, name: str, function: Callable[..., Any]) -> None:
        self._owner, self._name, self._function = owner, name, function
        self._own = name in vars(owner)  # otherwise it is the class's, and found again once ours is gone
        self._method = getattr(owner, name)
        self._removed = False
        setattr(owner, name, self)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._method(*args, **kwargs) if self._removed else self._function(self._method, *args, **kwargs)

    def remove(self) -> None:
        """Let the method be what it was, once those around this one are removed as well."""
        self._removed = True
        while isinstance(top := vars(self._owner).get(self._name), Around) and top._removed:
            if top._own:
                setattr(self._owner, self._name, top._method)
            else:
                delattr(self._owner, self._name)
