"""Parameters that `fully_shard` holds: moved where they lie, because it gathers them by references of its own.

For an evaluation the pieces take the values of a point, and afterwards clones of what they were. Gradients come by
`.backward()`, which gathers each part of the network when it is needed and averages over the processes: at no time is
the whole network on one of them. What that leaves in `.grad` and in FSDP's own books is set aside before.

This file alone looks behind torch's public interface: FSDP says nowhere else where it is.
"""

import contextlib
from collections.abc import Generator, Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from clinometer.objective.dtensor import is_dtensor, local
from clinometer.objective.params import Point

# What a loop may have set, and what an evaluation needs: its gradients reduced at once, its gathered copies freed.
_GROUP = {
    "reduce_grads": True,
    "all_reduce_grads": True,
    "reshard_after_backward": True,
    "_partial_reduce_output": None,
}


class Fsdp:
    """The `fully_shard` modules among those that a loss runs; most models have none.

    Args:
        modules: All of them.
    """

    def __init__(self, modules: Iterable[nn.Module]) -> None:
        self._modules: list[Any] = [m for m in modules if hasattr(m, "_get_fsdp_state")]
        self.reshard()

    def __bool__(self) -> bool:
        return bool(self._modules)

    def reshard(self) -> None:
        """Free what is gathered: FSDP would go on using it though the pieces have moved, and so would the names."""
        for module in self._modules:
            module.reshard()

    @property
    def parameters(self) -> list[Tensor]:
        """All that FSDP holds, trained or not."""
        return [piece.sharded_param for piece in self._pieces()]

    def gathered(self, live: Mapping[str, Tensor]) -> list[Tensor]:
        """What FSDP gathers `live` into, where training's graphs end; nothing before the first forward pass."""
        return [piece._unsharded_param for piece in self._pieces(live) if hasattr(piece, "_unsharded_param")]

    def unreduced(self, live: Mapping[str, Tensor]) -> list[Tensor]:
        """The gradients by `live` that wait whole for others to come, where a loop accumulates without reducing."""
        waiting = [piece.unsharded_accumulated_grad for piece in self._pieces(live)]
        return [gradient for gradient in (*waiting, *(p.grad for p in self.gathered(live))) if gradient is not None]

    @contextlib.contextmanager
    def at(self, point: Point, live: Mapping[str, Tensor]) -> Generator[None]:
        """Inside the block the pieces among `live` have the values of `point`, and `.grad` is empty everywhere."""
        if not self._modules:
            yield
            return
        kept = {name: local(p.detach()).clone() for name, p in live.items() if is_dtensor(p)}
        with contextlib.ExitStack() as aside:
            self._set_aside(aside)
            try:
                self._put({name: local(point[name]) for name in kept}, live)
                yield
            except BaseException:
                self._recover()
                raise
            finally:
                self._put(kept, live)

    @torch.no_grad()
    def _put(self, values: Point, live: Mapping[str, Tensor]) -> None:
        self.reshard()
        for name, value in values.items():
            local(live[name]).copy_(value)

    def _recover(self) -> None:
        """After an error amid a pass FSDP knows neither where it is nor what to wait for."""
        for module in self._modules:
            state = module._get_fsdp_state()
            if getattr(state, "_is_root", False) and hasattr(module, "reset_iter_state"):
                module.reset_iter_state()

    def _set_aside(self, until: contextlib.ExitStack) -> None:
        for group in self._groups():
            until.enter_context(_changed(group, _GROUP))
        for module in self._modules:
            until.enter_context(_changed(module._get_fsdp_state()._state_ctx, {"is_last_backward": True}))
        for piece in self._pieces():
            until.enter_context(_changed(piece, {"unsharded_accumulated_grad": None}))
            until.enter_context(_changed(piece.sharded_param, {"grad": None, "_post_accumulate_grad_hooks": None}))
            if hasattr(piece, "_unsharded_param"):
                until.enter_context(_changed(piece._unsharded_param, {"grad": None}))

    def _groups(self) -> list[Any]:
        states = [module._get_fsdp_state() for module in self._modules]
        several = [getattr(state, "_fsdp_param_groups", None) or [state._fsdp_param_group] for state in states]
        return [group for groups in several for group in groups if group is not None]

    def _pieces(self, live: Mapping[str, Tensor] | None = None) -> list[Any]:
        """What FSDP keeps of each parameter, or of those among `live`."""
        pieces = [piece for group in self._groups() for piece in group.fsdp_params]
        ours = None if live is None else {id(p) for p in live.values()}
        return [piece for piece in pieces if ours is None or id(piece.sharded_param) in ours]


@contextlib.contextmanager
def _changed(owner: Any, values: Mapping[str, Any]) -> Generator[None]:
    """Inside the block those of an object's attributes that it has are as given."""
    kept = {name: getattr(owner, name) for name in values if hasattr(owner, name)}
    try:
        for name in kept:
            setattr(owner, name, values[name])
        yield
    finally:
        for name, value in kept.items():
            setattr(owner, name, value)
