"""The optimizer of a trial: a copy of the user's, state and settings included, that moves the trial's parameters."""

import copy
import inspect
import math
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from torch import Tensor, nn
from torch.optim import Optimizer

from clinometer.recorder.validation import check_optimizers

Factory = Callable[[list[Tensor]], Any]

_OWN_RATE = ("d",)  # settings by which an optimizer chooses its rate itself: D-adaptation, Prodigy
_HOOKS = ("_optimizer_step_pre_hooks", "_optimizer_step_post_hooks")  # they may act on the program, as a patched step


class TrialOptimizer:
    """Makes the optimizers of trials, and sets their learning rates.

    The rate of a trial is that of the first group of parameters with a rate above 0; other groups keep their ratio to
    it. A rate that a scheduler has lowered for its warm-up counts as what the scheduler started from, `initial_lr`.

    Args:
        given: An optimizer, or a function that makes one of parameters, such as its class.
        modules: The modules that the loss runs, to which an optimizer may refer: they are not copied.

    Raises:
        TypeError: if it is neither, or several optimizers.

    Example:
        >>> weight = nn.Parameter(Tensor([1.0]))
        >>> trial = TrialOptimizer(Optimizer([weight], {"lr": 0.1}), [])
        >>> leaf = weight.detach().clone().requires_grad_()
        >>> made = trial.make({"weight": weight}, {"weight": leaf})
        >>> trial.set_rate(made, 0.5)
        >>> made.param_groups[0]["lr"], made.param_groups[0]["params"][0] is leaf
        (0.5, True)
    """

    def __init__(self, given: Any, modules: Sequence[nn.Module]) -> None:
        self._modules = {id(module): module for module in modules}
        self._factory: Factory = given
        self._kept: Any = None if _is_factory(given) else self._copied(_one(given))  # as it is now
        self._shares: list[float] = []  # of each group's rate in the trial's

    @property
    def parameters(self) -> list[Tensor] | None:
        """The parameters that the optimizer holds; None, which stands for all, where it is still to be made."""
        return None if self._kept is None else _parameters(self._kept)

    def make(self, live: Mapping[str, Tensor], leaves: Mapping[str, Tensor]) -> Any:
        """An optimizer of the leaves, in the state that the user's has for the live parameters."""
        if self._kept is None:
            made = self._factory(list(leaves.values()))
            if not hasattr(made, "param_groups"):
                raise TypeError(f"optimizer must make an optimizer of a list of parameters; it made {made!r}.")
        else:
            made = self._copied(self._kept, {id(live[name]): leaf for name, leaf in leaves.items()})
        self._shares = _shares(made)
        return made

    def _copied(self, optimizer: Any, others: Mapping[int, Tensor] = MappingProxyType({})) -> Any:
        """A copy of an optimizer, of the same parameters but those that have others, by their ids."""
        # Not by `copy.deepcopy` as a whole: torch leaves the attributes of subclasses out of that.
        kept = {name: value for name, value in vars(optimizer).items() if name not in (*_HOOKS, "step")}
        made = object.__new__(type(optimizer))
        same = {id(p): p for p in _parameters(optimizer)}
        memo: dict[int, Any] = {**same, **others, **self._modules, id(optimizer): made}
        vars(made).update({name: OrderedDict() for name in _HOOKS if hasattr(optimizer, name)})
        try:
            vars(made).update({name: copy.deepcopy(value, memo) for name, value in kept.items()})
        except (TypeError, RuntimeError, AttributeError) as error:
            raise TypeError(
                f"the state of {type(optimizer).__name__} cannot be copied ({error}), and trial steps must not move "
                "the optimizer itself. Pass a function that makes one: optimizer=lambda parameters: ..."
            ) from error
        return made

    def set_rate(self, made: Any, rate: float) -> None:
        """Let an optimizer that was made here take its next step with this rate."""
        for group, share in zip(made.param_groups, self._shares, strict=True):
            if isinstance(group["lr"], Tensor):
                group["lr"].fill_(rate * share)
            else:
                group["lr"] = rate * share

    def rates(self, made: Any, leaves: Mapping[str, Tensor]) -> dict[str, float]:
        """The rate of each leaf where that of the trial is 1."""
        groups = zip(made.param_groups, self._shares, strict=True)
        shares = {id(p): share for group, share in groups for p in group["params"]}
        return {name: shares[id(leaf)] for name, leaf in leaves.items() if id(leaf) in shares}

    def reason_against(self, made: Any) -> str:
        """Why no learning rate can be found for an optimizer; empty where one can."""
        name = type(made).__name__
        if any("lr" not in group or group["lr"] is None or _OWN_RATE[0] in group for group in made.param_groups):
            return f"{name} has no learning rate to choose: it sets its steps' length itself"
        if any(group.get("maximize") for group in made.param_groups):
            return f"{name} maximizes the loss: pass the loss with the other sign"
        if _needs_closure(made):
            return f"{name} evaluates the loss itself within a step (by a closure), as often as it likes"
        return "" if any(self._shares) else f"every learning rate of {name} is 0: nothing would move"


def _is_factory(given: Any) -> bool:
    if isinstance(given, type):
        return issubclass(given, Optimizer) or callable(given)
    return callable(given) and not hasattr(given, "param_groups")


def _one(given: Any) -> Any:
    found = check_optimizers(given)
    if len(found) != 1:
        raise TypeError(
            f"expected one optimizer, or a function that makes one of parameters; found {len(found)}. A learning rate "
            "is found for one at a time."
        )
    return found[0]


def _parameters(optimizer: Any) -> list[Tensor]:
    return [p for group in optimizer.param_groups for p in group["params"]]


def _shares(made: Any) -> list[float]:
    rates = [float(group.get("initial_lr", group.get("lr")) or 0.0) for group in made.param_groups]
    first = next((rate for rate in rates if rate > 0 and math.isfinite(rate)), math.nan)
    return [rate / first if first > 0 else 0.0 for rate in rates]


def _needs_closure(made: Any) -> bool:
    parameters: Iterable[Any] = list(inspect.signature(type(made).step).parameters.values())[1:]
    try:
        needed = [each for each in parameters if each.default is each.empty and each.kind in _POSITIONAL]
    except (TypeError, ValueError):
        return False
    return bool(needed) or type(made).__name__ == "LBFGS"


_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
