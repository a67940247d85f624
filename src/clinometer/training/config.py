"""The config of one training run: everything that decides its numbers, and nothing else.

A paper's run and a user's run have the same config: import paths of what is trained, and the settings that these are
called with. Nothing is imported until the run is made, so a config can be built, compared and stored anywhere.
"""

import dataclasses
import hashlib
import json
import math
import textwrap
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from clinometer.training.errors import SpecError, check_choice
from clinometer.training.settings import Settings, canonical, frozen

LOSS, OPTIMIZER, TRAINER = "torch.nn.functional:cross_entropy", "torch.optim:SGD", "clinometer.training.loop:train"
PATHS = ("model", "data", "loss", "optimizer", "scheduler", "trainer")  # the fields that are import paths

ProbeSpec = tuple[str, Settings | None]  # a probe: its name or import path, and the arguments of the function there;
# None where the import path is the probe itself


@dataclass(frozen=True)
class RunConfig:
    """One recorded training run. Two equal configs are one run, kept in one folder.

    `model`, `data`, `loss`, `optimizer`, `scheduler` and `trainer` are import paths, `package.module:name`; `data` may
    also be the name of a bundled data set, and there may be no scheduler. Each but the last is called with those
    `settings` that it has parameters for. All fields are JSON: `config.json` is the config's `dataclasses.asdict`.

    Raises:
        SpecError: a `ValueError` that names the field which cannot be used.

    Example:
        >>> one, other = (RunConfig("nets:mlp", settings={"lr": lr}) for lr in (1, 1.0))
        >>> one == other, one.key == other.key
        (True, True)
        >>> one.vary(lr=0.5, steps=20)["lr"]
        0.5
    """

    model: str
    data: str = "digits"
    loss: str = LOSS  # of (outputs, targets)
    optimizer: str = OPTIMIZER  # of (parameters)
    scheduler: str | None = None  # of (optimizer): of its learning rate, stepped after each of its steps
    trainer: str = TRAINER  # of (runs, device); see `training/trainer.py`
    settings: Settings = field(default_factory=Settings)
    probes: tuple[ProbeSpec, ...] = (("landscape", Settings()),)
    consecutive: tuple[str, ...] = ()  # probes that also measure one step later, by the names of their rows
    batch_size: int = 64
    steps: int = 150
    seed: int = 0  # of weights, the order of batches, and every other draw
    measure_every: int = 10  # steps between measurements
    intervals: Settings = field(default_factory=Settings)  # the same of single probes, by the names of their rows
    test_every: int = 10  # steps between passes over the test set
    channels_last: bool = False  # network and batches in this memory format: a third faster on a CPU for narrow VGGs

    def __post_init__(self) -> None:
        object.__setattr__(self, "settings", frozen("settings", self.settings))
        object.__setattr__(self, "probes", tuple(_probe_spec(index, each) for index, each in enumerate(self.probes)))
        object.__setattr__(self, "consecutive", tuple(self.consecutive))
        object.__setattr__(self, "intervals", frozen("intervals", self.intervals))
        for name in PATHS:
            if name != "scheduler" or self.scheduler is not None:
                _check_path(name, getattr(self, name))
        for name in ("batch_size", "steps", "measure_every", "test_every"):
            check_count(name, getattr(self, name), 1)
        for name, steps in self.intervals.items():
            check_count(f"intervals.{name}", steps, 1)
        check_count("seed", self.seed, 0)
        _check_flag("channels_last", self.channels_last)
        for name in _FIELDS & self.settings.keys():
            raise SpecError(f"settings.{name}", f"every config has a field {name!r}. Give the setting another name.")

    def __getitem__(self, name: str) -> Any:
        """A setting or a field, by its name; ValueError if there is none."""
        if name in self.settings:
            return self.settings[name]
        return getattr(self, check_choice("setting or field", name, [*self.settings, *sorted(_FIELDS)]))

    def vary(self, **changes: Any) -> "RunConfig":
        """The same run with other values of some settings or fields.

        Args:
            changes: The name of a field, or of a setting that the config has, to its value.

        Raises:
            ValueError: if there is no such name.

        Example:
            >>> RunConfig("nets:mlp", settings={"norm": "none", "lr": 0.1}).vary(norm="batch", seed=3).settings
            {'norm': 'batch', 'lr': 0.1}
        """
        settings = dict(changes.pop("settings", self.settings))
        for name in list(changes):
            check_choice("factor", name, [*settings, *sorted(_FIELDS)])
            if name not in _FIELDS:
                settings[name] = changes.pop(name)
        return dataclasses.replace(self, settings=Settings(settings), **changes)

    @property
    def key(self) -> str:
        """The name of the run's folder: a hash of the config."""
        return key_of(dataclasses.asdict(self))

    def facts(self) -> dict[str, Any]:
        """Its fields and settings side by side, as tables and labels show them; of probes, their names."""
        facts = {name: getattr(self, name) for name in (*PATHS, "batch_size", "steps", "seed")}
        facts |= {name: getattr(self, name) for name in ("measure_every", "test_every", "channels_last")}
        facts["probes"] = ", ".join(path for path, _ in self.probes)
        facts["consecutive"] = ", ".join(self.consecutive) or None
        facts["intervals"] = ", ".join(f"{rows} {steps}" for rows, steps in self.intervals.items()) or None
        return {**facts, **self.settings}

    def short(self) -> str:
        """A label for a line of progress: its first settings and its seed."""
        settings = " ".join(f"{name} {format_value(value)}" for name, value in self.settings.items())
        return f"{textwrap.shorten(settings, 30, placeholder=' …')} seed {self.seed}".strip()

    def steps_of(self, rows: str) -> range | list[int]:
        """The steps at which the run writes such rows, unless it diverges before.

        Args:
            rows: `train`, `test`, or the name of a probe's rows.

        Example:
            >>> config = RunConfig("nets:mlp", steps=25, consecutive=("activations",), intervals={"noise_scale": 20})
            >>> list(config.steps_of("landscape")), config.steps_of("activations"), list(config.steps_of("noise_scale"))
            ([0, 10, 20], [0, 1, 10, 11, 20, 21], [0, 20])
        """
        if rows == "train":
            return range(self.steps)
        if rows == "test":
            return sorted({*range(0, self.steps, self.test_every), self.steps - 1})
        measured = range(0, self.steps, self.interval_of(rows))
        if rows in self.consecutive:
            return sorted({step for first in measured for step in (first, first + 1) if step < self.steps})
        return measured

    def interval_of(self, rows: str) -> int:
        """The steps from one measurement of such rows to the next."""
        return self.intervals.get(rows, self.measure_every)

    @property
    def modules(self) -> tuple[str, ...]:
        """The modules that it names."""
        paths = [*(getattr(self, name) or "" for name in PATHS), *(path for path, _ in self.probes)]
        return tuple(dict.fromkeys(path.partition(":")[0] for path in paths if ":" in path))


_COUNTED_IF_GIVEN = ("scheduler", "intervals")
_FIELDS = {each.name for each in dataclasses.fields(RunConfig)}

Bases = Mapping[str, RunConfig]  # what the runs of a study share, by the name of each group of runs


def key_of(config: Mapping[str, Any]) -> str:
    """The hash of a config, from its fields as they stand in `config.json`.

    A scheduler counts where there is one, and intervals where there are some.

    Example:
        >>> config = RunConfig("nets:mlp", settings={"lr": 1.0})
        >>> key_of(json.loads(json.dumps(dataclasses.asdict(config)))) == config.key
        True
    """
    fields = {name: value for name, value in config.items() if name not in _COUNTED_IF_GIVEN or value}
    text = json.dumps(canonical(fields), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def grid(base: RunConfig, **factors: Iterable[Any]) -> list[RunConfig]:
    """`base` with every combination of the factors' values, the last factor varying fastest.

    Args:
        base: The config that the others vary.
        factors: A field or setting of `base` to its values.

    Example:
        >>> base = RunConfig("nets:mlp", settings={"norm": "batch"})
        >>> [(config["norm"], config.seed) for config in grid(base, norm=["none", "batch"], seed=range(2))]
        [('none', 0), ('none', 1), ('batch', 0), ('batch', 1)]
    """
    configs = [base]
    for name, values in factors.items():
        chosen = list(values)
        configs = [config.vary(**{name: value}) for config in configs for value in chosen]
    return configs


def format_value(value: Any) -> str:
    """A value as labels show it: the last name of an import path, and no trailing zeros.

    Example:
        >>> [format_value(value) for value in (0.10, 1.0, None, "torch.optim:SGD", (32, 32))]
        ['0.1', '1', 'none', 'SGD', '[32, 32]']
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, tuple):
        return f"[{', '.join(format_value(each) for each in value)}]"
    return "none" if value is None else str(value).rpartition(":")[2]


def check_count(key: str, value: object, least: int) -> None:
    """SpecError unless the value is a whole number of at least `least`."""
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value < math.inf:
        raise SpecError(key, f"expected a whole number of at least {least}; found {value!r}.")


def _check_flag(key: str, value: object) -> None:
    if not isinstance(value, bool):
        raise SpecError(key, f"expected true or false; found {value!r}.")


def _check_path(key: str, value: object) -> None:
    """SpecError unless the value could be imported: `module:name`, or for data the name of what is bundled."""
    text = value if isinstance(value, str) else ""
    module, colon, name = text.partition(":")
    parts = [*module.split("."), *name.split(".")] if colon else module.split()
    if not (all(part.isidentifier() for part in parts) and parts and (colon or key == "data")):
        bundled = ", or digits or cifar10" if key == "data" else ""
        raise SpecError(key, f"expected an import path such as mymodule:{key}{bundled}; found {value!r}.")


def _probe_spec(index: int, given: Any) -> ProbeSpec:
    path, arguments = given
    return (str(path), None if arguments is None else frozen(f"probes[{index}]", arguments))
