"""Evaluates networks under `fully_shard`, whose parameters must be changed in place: FSDP gathers them by references.

For an evaluation the shards take the values of a point, and afterwards their own again, from clones. Gradients come by
`.backward()`, which gathers each part of the network when it is needed and averages over the ranks, so no rank ever
holds the whole network. `.grad` and FSDP's own state are set aside before.

FSDP has no public interface for its state, so this file uses private attributes of torch's.
"""

import contextlib
from collections.abc import Generator, Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from clinometer.objective.dtensor import is_dtensor, to_local
from clinometer.objective.params import Point

# A loop may have set these otherwise. An evaluation needs gradients reduced at once, and gathered copies freed.
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
        """Free the gathered parameters: FSDP would use them on, though the shards have changed since."""
        for module in self._modules:
            module.reshard()

    @property
    def parameters(self) -> list[Tensor]:
        """All sharded parameters, trainable or not."""
        return [piece.sharded_param for piece in self._pieces()]

    def gathered(self, live: Mapping[str, Tensor]) -> list[Tensor]:
        """The gathered forms of `live`, in which training's graphs end; none before the first forward pass."""
        return [piece._unsharded_param for piece in self._pieces(live) if hasattr(piece, "_unsharded_param")]

    def unreduced(self, live: Mapping[str, Tensor]) -> list[Tensor]:
        """The gradients by `live` that are not reduced yet, in a loop that accumulates without reducing."""
        waiting = [piece.unsharded_accumulated_grad for piece in self._pieces(live)]
        return [gradient for gradient in (*waiting, *(p.grad for p in self.gathered(live))) if gradient is not None]

    @contextlib.contextmanager
    def at(self, point: Point, live: Mapping[str, Tensor]) -> Generator[None]:
        """Inside the block the sharded parameters have the values of `point`, and `.grad` is empty everywhere."""
        if not self._modules:
            yield
            return
        own = {name: to_local(p.detach()).clone() for name, p in live.items() if is_dtensor(p)}
        with contextlib.ExitStack() as aside:
            self._set_aside(aside)
            try:
                self._assign(point, own, live)
                yield
            except BaseException:
                self._recover()
                raise
            finally:
                self._assign(own, own, live)

    @torch.no_grad()
    def _assign(self, point: Point, names: Iterable[str], live: Mapping[str, Tensor]) -> None:
        self.reshard()
        for name in names:
            to_local(live[name]).copy_(to_local(point[name]))

    def _recover(self) -> None:
        """Reset FSDP's state after an error amid a pass."""
        for module in self._modules:
            state = module._get_fsdp_state()
            if not getattr(state, "_is_root", False):
                continue
            if hasattr(module, "reset_iter_state"):
                module.reset_iter_state()
            else:
                _reset_iter_state(state)

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
        return [group for module in self._modules for group in _groups_of(module._get_fsdp_state())]

    def _pieces(self, live: Mapping[str, Tensor] | None = None) -> list[Any]:
        """FSDP's own record of each parameter, or of those among `live`."""
        pieces = [piece for group in self._groups() for piece in group.fsdp_params]
        ours = None if live is None else {id(p) for p in live.values()}
        return [piece for piece in pieces if ours is None or id(piece.sharded_param) in ours]


def _groups_of(state: Any) -> list[Any]:
    groups = getattr(state, "_fsdp_param_groups", None) or [state._fsdp_param_group]
    return [group for group in groups if group is not None]


def _reset_iter_state(root: Any) -> None:
    """What the root's `reset_iter_state` does, for torch up to 2.12, which does not have it."""
    exchange, iteration, stream = root._comm_ctx, root._state_ctx, root._device_handle.current_stream()
    several = getattr(exchange, "reduce_scatter_states", [])  # torch 2.12; one before
    for waiting in (exchange.all_gather_state, getattr(exchange, "reduce_scatter_state", None), *several):
        if waiting is not None and waiting.event is not None:
            stream.wait_event(waiting.event)
    exchange.all_gather_state = exchange.reduce_scatter_state = None
    several.clear()
    exchange.post_forward_order.clear()
    for state in iteration.all_states:
        state._modules_to_run_forward.clear()
        state._training_state = type(state._training_state).IDLE
        for group in _groups_of(state):
            group.finalize_backward()
            group._partial_reduce_output = None
            group._training_state = type(group._training_state).IDLE
            group._to_sharded()
    iteration.iter_forward_root = None
    iteration.post_backward_final_callback_queued = False


@contextlib.contextmanager
def _changed(owner: Any, values: Mapping[str, Any]) -> Generator[None]:
    """Inside the block an object's attributes have these values, as far as it has such attributes."""
    own = {name: getattr(owner, name) for name in values if hasattr(owner, name)}
    try:
        for name in own:
            setattr(owner, name, values[name])
        yield
    finally:
        for name, value in own.items():
            setattr(owner, name, value)
