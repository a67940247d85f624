"""Declared studies: the keys of a study file, their checks, and the `Study` that they describe."""

import dataclasses
import itertools
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from clinometer.probes.labels import Arrays
from clinometer.studies.declared.claims import claim_of, spec_of
from clinometer.studies.declared.comparison_rule import ComparisonRule
from clinometer.studies.declared.figures import figure
from clinometer.studies.declared.variants import NamedVariants
from clinometer.studies.study import LAST_FIRST_SEED, MOST_SEEDS, FigureSpec, Scale, Study
from clinometer.training.config import LOSS, OPTIMIZER, ProbeSpec, RunConfig, check_count, format_value
from clinometer.training.errors import SpecError, check_choice
from clinometer.training.from_config import names_of
from clinometer.training.imports import path_of
from clinometer.training.settings import Settings, Value, frozen

FIELDS = ("model", "data", "loss", "optimizer", "scheduler", "batch_size", "steps")  # that a factor may vary
_FOLLOWED = ("model", "data", "loss", "optimizer", "scheduler")  # of those, the import paths
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_TRAINING = "training"  # the figure of the losses; it and the claims need the runs of all variants
_MOST = 10_000  # arms: more is taken for a slip


@dataclass(frozen=True)
class OwnStudy:
    """What varies, what is measured and what is claimed. Import paths are followed by the dry run and by training.

    Example:
        >>> study = OwnStudy(name="rates", model="nets:mlp", factors={"lr": [0.1, 1, 1.0]})
        Traceback (most recent call last):
        ...
        clinometer.training.errors.SpecError: factors.lr: 1.0 is there twice, as 1 and as 1.0.
        >>> study = OwnStudy(name="rates", model="nets:mlp", factors={"lr": [0.1, 1], "width": 32})
        >>> [study.name_of(arm) for arm in study.arms]
        ['lr 0.1', 'lr 1']
    """

    name: str  # the study's folder is runs/NAME
    model: Any = ""  # a function or class, or its import path; data, loss, optimizer and scheduler too
    data: Any = "digits"  # or the name of a bundled data set
    question: str = ""
    loss: Any = LOSS  # called with (outputs, targets)
    optimizer: Any = OPTIMIZER  # called with (parameters)
    scheduler: Any = None  # called with (optimizer), and stepped after each of its steps
    factors: Mapping[str, Any] = field(default_factory=dict[str, Any])  # name to a list of values, or to one value
    seeds: int = 3  # per arm
    first_seed: int = 0  # an arm's seeds are this one and those that follow
    steps: int = 300
    batch_size: int = 64
    probes: Sequence[Any] = ("landscape",)  # names, import paths, or either with arguments
    every: int = 10  # steps between measurements
    test_every: int | None = None  # steps between passes over the test set; `every` by default
    claims: Sequence[Any] = ()  # mappings with the keys of a file, or `clinometer.studies.claims.Claim`

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(_text("name", self.name)):
            raise SpecError(
                "name", f"expected up to 64 letters, digits, _, . and -, as its folder has it; found {self.name!r}."
            )
        _text("question", self.question)
        for name in ("seeds", "every", "test_every"):
            check_count(name, self.every if getattr(self, name) is None else getattr(self, name), 1)
        check_count("first_seed", self.first_seed, 0)
        for name, most in (("seeds", MOST_SEEDS), ("first_seed", LAST_FIRST_SEED)):
            if getattr(self, name) > most:
                raise SpecError(name, f"expected at most {most}; found {getattr(self, name)}.")
        self._set(factors=_factors(self.factors))
        for name in _FOLLOWED:
            self._set(**{name: _path(name, name, getattr(self, name))})
        if not self.model and "model" not in self.factors:
            raise SpecError("model", "expected the import path of what returns an nn.Module; found nothing.")
        if not isinstance(self.probes, list | tuple) or not self.probes:
            raise SpecError("probes", f"expected a list such as [landscape, headroom]; found {self.probes!r}.")
        self._set(probes=tuple(_probe(f"probes[{index}]", each) for index, each in enumerate(self.probes)))
        if not isinstance(self.claims, list | tuple):
            raise SpecError("claims", f"expected a list of claims; found {self.claims!r}.")
        factors = [*self.factors, *FIELDS]
        self._set(claims=tuple(claim_of(f"claims[{i}]", each, factors) for i, each in enumerate(self.claims)))
        ids = [claim.id for claim in self.claims]
        if twice := [each for index, each in enumerate(ids) if each in ids[:index]]:
            raise SpecError(f"claims[{ids.index(twice[0])}].id", f"two claims are called {twice[0]!r}.")
        names_of(self.arms[0])  # building a config and naming its probes refuses other wrong values

    @property
    def arms(self) -> list[RunConfig]:
        """Every combination of the factors' values, the last factor varying fastest."""
        combinations = itertools.product(*self.factors.values())
        return [self._arm(dict(zip(self.factors, values, strict=True))) for values in combinations]

    @property
    def varied(self) -> list[str]:
        """The factors that have more than one value; all factors if none has."""
        return [name for name, values in self.factors.items() if len(values) > 1] or list(self.factors)

    def name_of(self, arm: Any) -> str:
        """The name of an arm: its values of the varied factors."""
        facts = arm.facts()
        return ", ".join(f"{name} {format_value(facts[name])}" for name in self.varied) or self.name

    def replaced(self, factors: Mapping[str, Sequence[Value]]) -> "OwnStudy":
        """A copy of the study with some factors replaced or added."""
        return dataclasses.replace(self, factors={**self.factors, **factors})

    def check_claims(self, rows: Mapping[str, Arrays]) -> None:
        """Raise SpecError if a claim needs a quantity that these rows do not have."""
        for index, claim in enumerate(self.claims):
            if isinstance(claim.compare, ComparisonRule):
                claim.compare.quantity.check(rows, f"claims[{index}].quantity")

    def study(self) -> Study:
        """The `Study` that planning, running and reporting use."""
        arms = self.arms
        about = f"{arms[0].model} on {arms[0].data}, {len(arms)} arms, {arms[0].steps} steps"
        return Study(
            name=self.name,
            title=self.question or self.name,
            source=f"{self.name}, a study of one's own",
            scales={"own": Scale(lambda: {"own": arms[0]}, {"own": self.seeds}, about, self.first_seed)},
            figures={name: self._figure_spec(name, probes) for name, probes in self._figures().items()},
            claims=tuple(replace(claim, figures=(_TRAINING,)) for claim in self.claims),
            variants=NamedVariants({self.name_of(arm): arm for arm in arms}),
            label_fields=tuple(self.varied),
            recorded=("train", "test", *names_of(arms[0])),
            declared=self.declared(),
        )

    def declared(self) -> dict[str, Any]:
        """The study's keys as JSON, from which `restored` makes the study again."""
        plain = {each.name: getattr(self, each.name) for each in dataclasses.fields(self)}
        claims = [spec_of(claim) for claim in self.claims]
        return {**plain, "probes": [[path, given] for path, given in self.probes], "claims": claims}

    def _figures(self) -> dict[str, list[str]]:
        return {_TRAINING: ["train", "test"], **{name: [name] for name in names_of(self.arms[0])}}

    def _figure_spec(self, name: str, probes: Sequence[str]) -> FigureSpec:
        return FigureSpec(
            name,
            lambda variants: list(variants.values()),
            lambda runs, variants: figure(runs, name, probes, variants),
            whole=False,
        )

    def _arm(self, values: Mapping[str, Value]) -> RunConfig:
        fields = {name: values.get(name, getattr(self, name)) for name in FIELDS}
        settings = Settings({name: value for name, value in values.items() if name not in FIELDS})
        test_every = self.every if self.test_every is None else self.test_every
        probes: tuple[ProbeSpec, ...] = tuple(self.probes)
        return RunConfig(**fields, settings=settings, probes=probes, measure_every=self.every, test_every=test_every)

    def _set(self, **values: Any) -> None:
        for name, value in values.items():
            object.__setattr__(self, name, value)


def declared(given: Mapping[str, Any]) -> OwnStudy:
    """Make a study from the keys of a file.

    Raises:
        SpecError: if a key is unknown, or its value cannot be used.

    Example:
        >>> declared({"name": "rates", "model": "nets:mlp", "factor": {}})
        Traceback (most recent call last):
        ...
        clinometer.training.errors.SpecError: factor: no key called 'factor'; there are name, model, data, question, \
loss, optimizer, scheduler, factors, seeds, first_seed, steps, batch_size, probes, every, test_every, claims. \
Did you mean 'factors'?
    """
    keys = [each.name for each in dataclasses.fields(OwnStudy)]
    for name in given:
        check_choice("key called", str(name), keys, str(name))
    if "name" not in given:
        raise SpecError("name", "expected a name for the study and its folder; found none.")
    return OwnStudy(**given)


def restored(facts: Mapping[str, Any], rows: Any) -> OwnStudy:
    """Make a study from the files in its folder, without following import paths.

    Args:
        facts: Its `study.json`.
        rows: Its `claims.json`, with the last findings of the claims that functions decide.
    """
    given = facts.get("declared")
    if not isinstance(given, Mapping) or given.get("name") != facts.get("study"):
        raise SpecError("declared", f"expected the study that the folder holds; found {type(given).__name__}.")
    rows_by_id = {row.get("id"): row for row in rows if isinstance(row, Mapping)} if isinstance(rows, list) else {}

    def with_row(claim: Any) -> Any:
        by_function = isinstance(claim, Mapping) and "function" in claim
        return {**claim, "row": rows_by_id.get(claim.get("id"))} if by_function else claim

    claims = given.get("claims")
    return declared({**given, "claims": [with_row(each) for each in claims] if isinstance(claims, list) else claims})


def _path(key: str, name: str, given: Any) -> str | None:
    return None if given is None and name == "scheduler" else path_of(key, given)


def _text(key: str, given: Any) -> str:
    if not isinstance(given, str):
        raise SpecError(key, f"expected text; found {given!r}.")
    return given


def _factors(given: Any) -> Settings:
    if not isinstance(given, Mapping):
        raise SpecError("factors", f"expected names with their values, such as {{lr: [0.1, 0.2]}}; found {given!r}.")
    factors = Settings({name: _values(f"factors.{name}", str(name), value) for name, value in given.items()})
    if (count := math.prod(len(values) for values in factors.values())) > _MOST:
        raise SpecError("factors", f"expected at most {_MOST} combinations; found {count}.")
    return factors


def _values(key: str, name: str, given: Any) -> tuple[Value, ...]:
    if name == "seed" or not name.isidentifier():
        raise SpecError(key, "a factor is named as a parameter is; how many seeds there are is said by `seeds`.")
    listed: list[Any] = list(given) if isinstance(given, list | tuple) else [given]
    paths = name in _FOLLOWED
    values: tuple[Value, ...] = frozen(key, [_path(key, name, value) for value in listed] if paths else listed)
    if not values:
        raise SpecError(key, "expected at least one value; found none.")
    for index, value in enumerate(values):
        if value in values[:index]:
            first = values[values.index(value)]
            raise SpecError(key, f"{value!r} is there twice, as {first!r} and as {value!r}.")
    return values


def _probe(key: str, given: Any) -> tuple[str, Settings | None]:
    """A probe's name or import path, with its arguments; None if the import path is the probe itself."""
    if isinstance(given, list | tuple) and len(given) == 2:  # as `OwnStudy.declared` writes it
        return (str(given[0]), None if given[1] is None else _arguments(key, given[1]))
    if isinstance(given, Mapping):
        if len(given) != 1:
            raise SpecError(
                key, f"expected one probe with its arguments, such as {{landscape: {{sizes: [1]}}}}; found {given!r}."
            )
        ((path, arguments),) = given.items()
        return (path_of(key, path), _arguments(key, arguments))
    path = path_of(key, given)
    return (path, None if ":" in path else Settings())


def _arguments(key: str, given: Any) -> Settings:
    if given is not None and not isinstance(given, Mapping):
        raise SpecError(key, f"expected arguments by name, such as {{sizes: [0.5, 1]}}; found {given!r}.")
    return frozen(key, given or {})
