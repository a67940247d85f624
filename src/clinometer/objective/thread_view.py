"""Parameters and buffers of a module that is being evaluated: copies for the thread that evaluates, its own for others.

Another thread may use the model meanwhile, to evaluate or to serve it: it must see the weights of training.
"""

import threading
from typing import Any

_DummyThread: Any = vars(threading)["_DummyThread"]  # Python's name for a thread that it has not started


def is_started_by_torch(thread: threading.Thread) -> bool:
    """Whether torch started a thread, to compute gradients on a device: checkpoints run the forward pass in it."""
    return isinstance(thread, _DummyThread)


def other_threads() -> frozenset[int]:
    """The threads that run beside this one. Torch's work for this one."""
    here = threading.current_thread()
    beside = (thread for thread in threading.enumerate() if thread is not here and not is_started_by_torch(thread))
    return frozenset(thread.ident for thread in beside if thread.ident is not None)


class ThreadView(dict[str, Any]):
    """A dictionary that is another one for some threads.

    Args:
        copies: What it holds.
        live: What it is for those threads.
        others: The threads.

    Example:
        >>> view = ThreadView({"weight": 2}, {"weight": 1}, frozenset([threading.get_ident()]))
        >>> view["weight"], list(view.items())
        (1, [('weight', 1)])
    """

    __slots__ = ("_live", "_others")

    def __init__(self, copies: dict[str, Any], live: dict[str, Any], others: frozenset[int]) -> None:
        super().__init__(copies)
        self._live, self._others = live, others

    def __reduce_ex__(self, _protocol: Any) -> Any:
        return dict, (dict(self.items()),)  # a copy of the model is a plain one


def _of_this_thread(name: str) -> Any:
    method: Any = getattr(dict, name)

    def chosen(self: Any, *arguments: Any) -> Any:
        return method(self._live if threading.get_ident() in self._others else self, *arguments)

    return chosen


for _name in ("getitem", "setitem", "delitem", "contains", "iter", "len"):
    setattr(ThreadView, f"__{_name}__", _of_this_thread(f"__{_name}__"))
for _name in ("get", "keys", "values", "items", "pop", "copy", "update", "setdefault"):
    setattr(ThreadView, _name, _of_this_thread(_name))
