"""A study: what varies, what is drawn, what is checked, and at which scales."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from clinometer.readable.results import readable
from clinometer.results.run_table import RunTable
from clinometer.studies.claims import Claim
from clinometer.studies.extra import Extra
from clinometer.studies.figure import Figure
from clinometer.studies.theorems import TheoremSpec
from clinometer.training.config import Bases, RunConfig

MOST_SEEDS = 10_000  # per arm: more is taken for a slip
LAST_FIRST_SEED = 10**9  # every seed of a plan fits into 32 bits then


@readable
@dataclass(frozen=True)
class Scale:
    """How large a study is made."""

    make_bases: Callable[[], Bases]  # called when a run is planned, so that listing a study builds no config
    seeds: Mapping[str, int]  # per arm of each base, unless the caller says otherwise
    about: str  # data, networks and how long it takes
    first_seed: int = 0  # an arm's seeds are this one and those that follow, beyond the seed of the arm itself
    claim_seeds: Mapping[str, int] = field(default_factory=dict[str, int])  # of all arms of a claim, by its id

    @cached_property
    def bases(self) -> Bases:
        """What runs share, by the name that figures and claims ask for; an arm belongs to the first with its data."""
        return self.make_bases()


@readable
@dataclass(frozen=True)
class FigureSpec:
    """A figure: the arms it needs, and what it shows of them."""

    title: str
    arms: Callable[[Bases], Sequence[RunConfig]]
    draw: Callable[[RunTable, Bases], Figure]
    whole: bool = True  # whether it is drawn only if all its arms have a finished run


@readable
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
    extras: Mapping[str, Extra] = field(default_factory=dict[str, Extra])  # files of its own, by the option for them
    label_fields: tuple[str, ...] = ()  # what every arm's label says, beside that in which it differs from its base
    variants: Bases | None = None  # by name; figures and claims are given them in place of the scale's bases
    recorded: tuple[str, ...] = ()  # probes whose last numbers make a table
    classes: int | None = None  # of its data, where all arms are classifiers of so many: chance is known then
    read: str = ""  # what was read of the paper: full text, abstract, code; its module's `READ`
    citation: str = ""  # of the paper, in BibTeX; its module's `CITATION`
    declared: Mapping[str, Any] | None = None  # what a study of one's own is made of, as JSON
