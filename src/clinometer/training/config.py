"""The config of one run: everything that decides its numbers, and nothing else.

`RunConfig` is what all have, `Config` a run of a paper's study; a study of one's own has `recipe.Recipe`.
"""

import dataclasses
import difflib
import hashlib
import json
import math
import operator
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from clinometer.nn.deep_linear import READINGS
from clinometer.nn.norms import NORMS
from clinometer.nn.vgg import PLANS
from clinometer.training.data.datasets import DATASETS

GAUSSIAN = "gaussian"  # inputs and a linear map drawn from the seed; batch_size is the number of samples


@dataclass(frozen=True)
class RunConfig:
    """One training run with the instrument on: what configs of any kind have. Two equal configs are one run.

    Its fields are JSON: `config.json` is their `dataclasses.asdict`.
    """

    data: str = "digits"
    model: str = ""
    batch_size: int = 128
    steps: int = 150
    seed: int = 0  # weights, batches and noise; equal seeds start from equal weights where their shapes are the same
    measure_every: int = 10  # steps between measurements of the landscape
    test_every: int = 10  # steps between passes over the test set

    @property
    def key(self) -> str:
        """A name for the run's folder: a hash of the config."""
        text = json.dumps(self._identity(), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def facts(self) -> dict[str, Any]:
        """What a reader is told of it: name to value."""
        return dataclasses.asdict(self)

    def short(self) -> str:
        """What a line of progress calls it."""
        return f"seed {self.seed}"

    def _identity(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


@dataclass(frozen=True)
class Config(RunConfig):
    """A run of a paper's study: a network that this package knows, on data that it knows.

    Example:
        >>> Config(norm="bacth")                                  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        ...
        ValueError: no norm 'bacth'; there are none, batch, ... Did you mean 'batch'?
    """

    model: str = "vgg_digits"  # a row of PLANS, or of READINGS; `data` is one of DATASETS, or GAUSSIAN
    width: float = 1.0  # factor on every layer's channels
    norm: str = "batch"  # a row of NORMS
    lr: float = 0.1
    momentum: float = 0.0

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            object.__setattr__(self, field.name, _typed(field.name, getattr(self, field.name), type(field.default)))
        one_of("data set", self.data, [*DATASETS, GAUSSIAN])
        one_of("model", self.model, [*PLANS, *READINGS])
        one_of("norm", self.norm, NORMS)
        for name in ("width", "lr", "batch_size", "steps", "measure_every", "test_every"):
            if not 0 < getattr(self, name) < math.inf:
                raise ValueError(f"{name} must be positive and finite; found {getattr(self, name)}.")
        if not 0 <= self.momentum < 1:
            raise ValueError(f"momentum must lie in [0, 1); found {self.momentum}.")
        if (self.data == GAUSSIAN) != (self.model in READINGS):
            raise ValueError(
                f"the data {GAUSSIAN!r} and the models {', '.join(READINGS)} go with each other alone; "
                f"found {self.data!r} with {self.model!r}."
            )

    def short(self) -> str:
        """What a line of progress calls it."""
        return f"{self.norm} lr {self.lr:g} seed {self.seed}"


def said(value: Any) -> str:
    """A value as a reader is told it: the last name of an import path, numbers without zeros that say nothing.

    Example:
        >>> said(0.10), said(1.0), said(None), said("torch.optim:SGD"), said((32, 32))
        ('0.1', '1', 'none', 'SGD', '[32, 32]')
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, tuple):
        return f"[{', '.join(said(each) for each in value)}]"
    return "none" if value is None else str(value).rpartition(":")[2]


Bases = Mapping[str, Config]  # what the runs of a study share unless an arm says otherwise, one per data set


def _typed(name: str, value: Any, kind: type) -> Any:
    """The value as its field's type, so that lr=1 and lr=1.0 are one run; TypeError if it is not one."""
    if kind is float and isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    if kind is int and not isinstance(value, bool) and hasattr(value, "__index__"):
        return operator.index(value)
    if kind is str and isinstance(value, str):
        return value
    raise TypeError(f"{name} must be {kind.__name__}; found {value!r}.")


def one_of(kind: str, name: str, known: Iterable[str]) -> str:
    """`name`, or a ValueError that says what there is and what may have been meant.

    Example:
        >>> one_of("scale", "smoke", ["smoke", "laptop"])
        'smoke'
    """
    names = list(known)
    if name in names:
        return name
    close = difflib.get_close_matches(name, names, n=1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    raise ValueError(f"no {kind} {name!r}; there are {', '.join(names)}.{hint}")


def grid(base: Config, **factors: Iterable[Any]) -> list[Config]:
    """`base` with every combination of the factors' values, the last factor varying fastest.

    Args:
        base: What stays.
        factors: A field of `Config` to its values.

    Example:
        >>> [(config.norm, config.seed) for config in grid(Config(), norm=["none", "batch"], seed=range(2))]
        [('none', 0), ('none', 1), ('batch', 0), ('batch', 1)]
    """
    configs = [base]
    for name, values in factors.items():
        one_of("factor", name, (field.name for field in dataclasses.fields(Config)))
        chosen = list(values)
        configs = [dataclasses.replace(config, **{name: value}) for config in configs for value in chosen]
    return configs
