"""The config of one run of a study of one's own: import paths, and the values that they are called with."""

import math
from dataclasses import dataclass, field
from typing import Any

from clinometer.training.config import RunConfig, said
from clinometer.training.errors import SpecError
from clinometer.training.settings import Settings, canonical, frozen

LOSS, OPTIMIZER = "torch.nn.functional:cross_entropy", "torch.optim:SGD"
Measured = tuple[str, Settings | None]  # a probe: its name or import path, and what it is made with if it is to be made


@dataclass(frozen=True)
class Recipe(RunConfig):
    """One run of somebody's model on their data. Nothing is imported until it is trained.

    `model`, `data`, `loss` and `optimizer` are import paths, `package.module:name`, or for `data` a bundled name.
    Each is called with those `settings` that it has parameters for.

    Example:
        >>> one, other = (Recipe(model="nets:mlp", settings={"lr": lr}) for lr in (1, 1.0))
        >>> one == other, one.key == other.key
        (True, True)
    """

    batch_size: int = 64
    loss: str = LOSS  # of (outputs, targets)
    optimizer: str = OPTIMIZER  # of (parameters)
    settings: Settings = field(default_factory=Settings)
    probes: tuple[Measured, ...] = (("landscape", Settings()),)

    def __post_init__(self) -> None:
        object.__setattr__(self, "settings", frozen("settings", self.settings))
        object.__setattr__(self, "probes", tuple(_measured(index, each) for index, each in enumerate(self.probes)))
        for name in ("model", "data", "loss", "optimizer"):
            _check_path(name, getattr(self, name))
        for name in ("batch_size", "steps", "measure_every", "test_every"):
            check_count(name, getattr(self, name), 1)
        check_count("seed", self.seed, 0)

    def facts(self) -> dict[str, Any]:
        """What a reader is told of it: name to value."""
        fields = {name: value for name, value in super().facts().items() if name not in ("settings", "probes")}
        return {**fields, "probes": ", ".join(path for path, _ in self.probes), **self.settings}

    @property
    def modules(self) -> tuple[str, ...]:
        """The modules that it names."""
        paths = [self.model, self.data, self.loss, self.optimizer, *(path for path, _ in self.probes)]
        return tuple(dict.fromkeys(path.partition(":")[0] for path in paths if ":" in path))

    def short(self) -> str:
        """What a line of progress calls it."""
        return " ".join([*(f"{name} {said(value)}" for name, value in self.settings.items()), f"seed {self.seed}"])

    def _identity(self) -> dict[str, Any]:
        return canonical(super()._identity())


def _check_path(key: str, value: object) -> None:
    """SpecError unless the value could be imported: `module:name`, or for data the name of what is bundled."""
    text = value if isinstance(value, str) else ""
    module, colon, name = text.partition(":")
    parts = [*module.split("."), *name.split(".")] if colon else module.split()
    if not (all(part.isidentifier() for part in parts) and parts and (colon or key == "data")):
        bundled = ", or digits or cifar10" if key == "data" else ""
        raise SpecError(key, f"expected an import path such as mymodule:{key}{bundled}; found {value!r}.")


def check_count(key: str, value: object, least: int) -> None:
    """SpecError unless the value is a whole number of at least `least`."""
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value < math.inf:
        raise SpecError(key, f"expected a whole number of at least {least}; found {value!r}.")


def _measured(index: int, given: Any) -> Measured:
    path, arguments = given
    return (str(path), None if arguments is None else frozen(f"probes[{index}]", arguments))
