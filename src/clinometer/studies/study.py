"""A study: what varies, what is drawn, what is checked, and at which scales."""

import dataclasses
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from clinometer.results.run_table import RunTable
from clinometer.runner.records import holds_records
from clinometer.studies.claims import Claim
from clinometer.studies.figure import Figure
from clinometer.studies.theorems import TheoremSpec, named
from clinometer.training.config import Bases, RunConfig, format_value
from clinometer.training.errors import check_choice
from clinometer.training.study_file import NAME, read_study, write_study

MOST_SEEDS = 10_000  # per arm: more is taken for a slip


@dataclass(frozen=True)
class Scale:
    """How large a study is made."""

    make_bases: Callable[[], Bases]  # called when a run is planned, so that listing a study builds no config
    seeds: Mapping[str, int]  # per arm of each base, unless the caller says otherwise
    about: str  # data, networks and how long it takes

    @cached_property
    def bases(self) -> Bases:
        """What runs share, by the name that figures and claims ask for; an arm belongs to the first with its data."""
        return self.make_bases()


@dataclass(frozen=True)
class FigureSpec:
    """A figure: the arms it needs, and what it shows of them."""

    title: str
    arms: Callable[[Bases], Sequence[RunConfig]]
    draw: Callable[[RunTable, Bases], Figure]
    whole: bool = True  # whether it is drawn only if all its arms have a finished run


@dataclass(frozen=True)
class Study:
    """A paper, or a question of one's own."""

    name: str
    title: str
    source: str
    scales: Mapping[str, Scale]
    figures: Mapping[str, FigureSpec]
    claims: tuple[Claim, ...]
    theorems: Mapping[str, TheoremSpec] = field(default_factory=dict[str, TheoremSpec])
    label_fields: tuple[str, ...] = ()  # what every arm's label says, beside that in which it differs from its base
    variants: Bases | None = None  # by name; figures and claims are given them in place of the scale's bases
    recorded: tuple[str, ...] = ()  # probes whose last numbers make a table
    classes: int | None = None  # of its data, where all arms are classifiers of so many: chance is known then
    declared: Mapping[str, Any] | None = None  # what a study of one's own is made of, as JSON


@dataclass(frozen=True)
class Plan:
    """One study at one scale: what will be run, drawn and decided, checked before any work is spent."""

    study: Study
    scale: str
    seeds: Mapping[str, int]  # per arm of each base
    figures: tuple[str, ...]
    claims: tuple[Claim, ...]
    theorems: Mapping[str, TheoremSpec]

    @property
    def bases(self) -> Bases:
        """What runs share, by base."""
        return self.study.scales[self.scale].bases

    @property
    def variants(self) -> Bases:
        """The configs by name that figures and claims are given."""
        return self.bases if self.study.variants is None else self.study.variants

    @property
    def about(self) -> str:
        """The scale, data and networks, and how many seeds."""
        scale = f"Scale {self.scale}: " if len(self.study.scales) > 1 else ""
        each = ", ".join(f"{self.seeds[name]} seeds" + f" ({name})" * (len(self.bases) > 1) for name in self.used)
        return f"{scale}{self.study.scales[self.scale].about}; {each or 'nothing to run'}"

    @property
    def configs(self) -> list[RunConfig]:
        """Every run that the figures need, once, seed by seed."""
        return self._runs_of(self.figures)

    @property
    def run_order(self) -> list[RunConfig]:
        """The same runs in the order in which to make them, so that the first claims can be decided early.

        The runs of one claim follow those of another; the claim that needs the fewest more is always next.
        """
        left = {claim.id: self.runs_of(claim) for claim in self.claims}
        ordered: dict[RunConfig, None] = {}
        while left:
            missing = {name: [run for run in runs if run not in ordered] for name, runs in left.items()}
            nearest = min(missing, key=lambda name: len(missing[name]))
            ordered |= dict.fromkeys(missing[nearest])
            del left[nearest]
        return list(ordered | dict.fromkeys(self.configs))

    def runs_of(self, claim: Claim) -> list[RunConfig]:
        """The runs that a claim is decided by, seed by seed."""
        return self._runs_of(claim.figures)

    def _runs_of(self, figures: Iterable[str]) -> list[RunConfig]:
        arms = [arm for name in figures for arm in self.study.figures[name].arms(self.variants)]
        seeds = [(seed, arm) for arm in arms for seed in range(self.seeds[self.base_of(arm)])]
        ordered = sorted(seeds, key=lambda pair: pair[0])
        return list(dict.fromkeys(dataclasses.replace(arm, seed=seed) for seed, arm in ordered))

    def base_of(self, arm: RunConfig) -> str:
        """The name of the base that an arm varies: the first with its data."""
        if len(self.bases) == 1:
            return next(iter(self.bases))
        return next(name for name, base in self.bases.items() if base.data == arm.data)

    def name_of(self, arm: RunConfig) -> str:
        """What sets an arm apart: its base, what the study always tells, and whatever else differs from the base."""
        name = self.base_of(arm)
        facts, base = arm.facts(), self.bases[name].facts()
        same = ("seed", "probes", "consecutive")  # what is measured sets no arm apart
        told = [f for f in facts if f not in same and (f in self.study.label_fields or facts[f] != base.get(f))]
        words = [f"{f} {format_value(facts[f])}" for f in told]
        return ", ".join([name, *words] if len(self.bases) > 1 else words or [self.study.name])

    def run_name(self, run: RunConfig) -> str:
        """What sets a run apart: its arm and its seed."""
        return f"{self.name_of(run)}, seed {run.seed}"

    @property
    def used(self) -> list[str]:
        """The bases that have an arm in this plan."""
        return list(dict.fromkeys(self.base_of(config) for config in self.configs))


def plan(study: Study, scale: str, only: Iterable[str] = (), seeds: int | None = None) -> Plan:
    """What to do for a study at a scale.

    Args:
        study: The study.
        scale: A row of its scales.
        only: Figures, claims or theorems, by name; all by default. A claim is decided where its figures' runs are made.
        seeds: Seeds per arm; the scale's own number by default.

    Raises:
        ValueError: if a name is unknown, or there is less than one seed, or more than `MOST_SEEDS`.
    """
    check_choice("scale", scale, study.scales)
    claims = {claim.id: claim for claim in study.claims}
    known = [*study.figures, *claims, *study.theorems]
    kind = "figure, claim or theorem"
    chosen = [c for name in only for c in named(known, name) or [check_choice(kind, name, known, listed=100)]]
    if seeds is not None and seeds < 1:
        raise ValueError(f"--seeds must be at least 1; found {seeds}. Intervals need at least 2.")
    if seeds is not None and seeds > MOST_SEEDS:
        raise ValueError(f"--seeds must be at most {MOST_SEEDS}; found {seeds}.")
    needed = {e for name in chosen for e in (claims[name].figures if name in claims else (name,))}
    figures = tuple(name for name in study.figures if name in needed or not chosen)
    decidable = tuple(claim for claim in study.claims if set(claim.figures) <= set(figures))
    theorems = {name: theorem for name, theorem in study.theorems.items() if name in chosen or not chosen}
    each = {name: seeds or own for name, own in study.scales[scale].seeds.items()}
    return Plan(study, scale, each, figures, decidable, theorems)


def open_study_folder(folder: Path, planned: Plan, request: Mapping[str, Any]) -> None:
    """Make `folder` this study's and note what was asked for; ValueError if it holds anything else, left as it is."""
    bases = {name: json.loads(json.dumps(dataclasses.asdict(base))) for name, base in planned.bases.items()}
    ours: dict[str, Any] = {"study": planned.study.name, "scale": planned.scale, "bases": bases}
    if planned.study.declared is not None:  # its factors may grow: the runs are told apart by their configs
        ours = {"study": planned.study.name, "scale": planned.scale}
        request = {**request, "declared": planned.study.declared}
    if (folder / NAME).is_file():
        held = read_study(folder)
        if {name: held.get(name) for name in ours} != ours:
            raise ValueError(
                f"{folder} holds another study ({held.get('study')} at scale {held.get('scale')}, or one with other "
                f"settings); expected {planned.study.name} at scale {planned.scale}. Choose another folder with --to."
            )
    elif folder.exists() and not _may_become_study(folder):
        raise ValueError(f"{folder} is there already and is no clinometer study. Choose a new folder with --to.")
    folder.mkdir(parents=True, exist_ok=True)
    write_study(folder, {**request, **ours})


def _may_become_study(folder: Path) -> bool:
    """Whether it is empty, or a study's whose study.json was damaged and taken away."""
    return folder.is_dir() and (not any(folder.iterdir()) or holds_records(folder))
