"""The state of a model's modules at one moment, which replaces their present state during an evaluation.

A module is more than parameters and buffers: it may anneal a float, fill a buffer on its first call, keep tensors in a
list, or own a generator. So for an evaluation every module gets another `__dict__`, made of copies, and afterwards its
own back. The forward pass can assign and change the copy alone.
"""

import contextlib
from collections.abc import Generator, Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from clinometer.objective.checks import check_torchscript
from clinometer.objective.copies import Memo, can_change, copied
from clinometer.objective.distributed import attributes_of, receive_buffers
from clinometer.objective.thread_view import ThreadView, other_threads

# Hooks and the like stay the live ones: a handle that removes a hook refers to the very dict it is in.
_SHARED = set(vars(nn.Module())) - {"_parameters", "_buffers", "_modules", "training"}


class ModuleState:
    """Copies of all that a model's modules hold now but trainable parameters, which each evaluation supplies.

    Args:
        roots: The model, and the other modules that the loss runs; used in place.
        trainable: The parameters that each evaluation supplies, by name.
        in_place: What is neither copied nor replaced: parameters that `Fsdp` changes, and random generators, whose
            states are set and put back.
    """

    def __init__(
        self, roots: Sequence[nn.Module], trainable: Mapping[str, Tensor], in_place: Sequence[Any] = ()
    ) -> None:
        self._trainable = dict(trainable)
        modules = modules_of(roots)
        self._same = {id(item): item for item in (*modules, *in_place)}
        self.not_restored: list[str] = []  # attributes that cannot be copied, and are shared with the live modules
        memo = Memo(self._same | {id(p): p for p in trainable.values()})
        self._states = [(module, *self._frozen(module, memo)) for module in modules]
        self.registered = {id(p) for _, state, _ in self._states for p in state["_parameters"].values()}  # trainable
        for module in modules:
            receive_buffers(module, memo)

    @contextlib.contextmanager
    def installed(self, leaves: Mapping[str, Tensor]) -> Generator[None]:
        """Inside the block the modules hold fresh copies of this state, with `leaves` as their parameters.

        Other threads that run see the live parameters and buffers.
        """
        memo = Memo(self._same | {id(self._trainable[name]): leaf for name, leaf in leaves.items()})
        live = [(module, module.__dict__) for module, _, _ in self._states]
        others = other_threads()
        try:
            for module, state, changing in self._states:
                fresh = state | {name: copied(state[name], memo) for name in changing}
                if others:
                    own = vars(module)
                    fresh |= {name: ThreadView(fresh[name], own[name], others) for name in ("_parameters", "_buffers")}
                object.__setattr__(module, "__dict__", fresh)
            yield
        finally:
            try:
                _restore(live)
            except KeyboardInterrupt:  # it came between two modules
                _restore(live)
                raise

    def _frozen(self, module: nn.Module, memo: Memo) -> tuple[dict[str, Any], tuple[str, ...]]:
        """A module's attributes, copied where they can change in place, and the names of those."""
        attributes = attributes_of(module)
        changing = tuple(n for n, value in attributes.items() if n not in _SHARED and can_change(value))
        frozen = dict(attributes)
        for name in changing:
            frozen[name] = copied(attributes[name], memo)
            self.not_restored += [f"{name!r} of a {type(module).__name__} holds {what}" for what in memo.failed]
            memo.failed.clear()
        return frozen, changing


def modules_of(roots: Sequence[nn.Module]) -> list[nn.Module]:
    """The roots' modules, and those in their lists or plain attributes, where a distillation model keeps its teacher.

    Raises:
        ValueError: if one of them is a TorchScript module.
    """
    modules: dict[int, nn.Module] = {}
    waiting: list[Any] = [*roots]
    while waiting:
        item = waiting.pop()
        if isinstance(item, nn.Module) and id(item) not in modules:
            modules[id(item)] = item
            waiting += vars(item).values()
        elif isinstance(item, dict):
            waiting += [value for value in item.values() if isinstance(value, nn.Module)]
        elif isinstance(item, list | tuple):
            waiting += [value for value in item if isinstance(value, nn.Module)]
    check_torchscript(modules.values())
    return list(modules.values())


def _restore(live: list[tuple[nn.Module, dict[str, Any]]]) -> None:
    for module, own in live:
        object.__setattr__(module, "__dict__", own)
