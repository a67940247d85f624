"""What will be run, drawn and decided of a study: checked before any work is spent."""

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from clinometer.readable.results import readable
from clinometer.studies.claims import Claim
from clinometer.studies.study import LAST_FIRST_SEED, MOST_SEEDS, Study
from clinometer.studies.theorems import TheoremSpec, named
from clinometer.training.config import Bases, RunConfig, format_value
from clinometer.training.errors import check_choice


@readable
@dataclass(frozen=True)
class Plan:
    """One study at one scale: what will be run, drawn and decided, checked before any work is spent."""

    study: Study
    scale: str
    seeds: Mapping[str, int]  # per arm of each base
    figures: tuple[str, ...]
    claims: tuple[Claim, ...]
    theorems: Mapping[str, TheoremSpec]
    first_seed: int = 0
    claim_seeds: Mapping[str, int] = field(default_factory=dict[str, int])  # of the arms of some claims, by its id

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
        """The scale, data and networks, and which seeds."""
        scale = f"Scale {self.scale}: " if len(self.study.scales) > 1 else ""
        each = ", ".join(self._seeds_text(name) + f" ({name})" * (len(self.bases) > 1) for name in self.used)
        first = f" from {self.first_seed} on" if each and self.first_seed else ""
        return f"{scale}{self.study.scales[self.scale].about}; {each or 'nothing to run'}{first}"

    @property
    def configs(self) -> list[RunConfig]:
        """Every run that the figures need, once, seed by seed."""
        return self._runs(self._seed_counts)

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
        """The runs that a claim is decided by, seed by seed.

        They are the claim's own seeds, also where another claim needs more of an arm: what one claim needs decides no
        other, and a claim is looked at when its number of seeds grows, and at no other time.
        """
        return self._runs({arm: self.seeds_of(claim, arm) for arm in self.arms_of(claim)})

    def arms_of(self, claim: Claim) -> list[RunConfig]:
        """The arms that a claim compares: its own, or those of its figures."""
        return self._arms(claim.figures) if claim.arms is None else list(claim.arms(self.variants))

    def seeds_of(self, claim: Claim, arm: RunConfig) -> int:
        """How many seeds of an arm a claim is decided by."""
        return max(self.seeds[self.base_of(arm)], self.claim_seeds.get(claim.id, 0))

    @cached_property
    def _seed_counts(self) -> dict[RunConfig, int]:
        """Every arm of the figures to its number of seeds: that of its base, or more where a claim needs more."""
        counts = {arm: self.seeds[self.base_of(arm)] for arm in self._arms(self.figures)}
        for claim in self.claims:
            for arm in self.arms_of(claim):
                counts[arm] = max(counts[arm], self.seeds_of(claim, arm))
        return counts

    def _arms(self, figures: Iterable[str]) -> list[RunConfig]:
        return list(dict.fromkeys(arm for name in figures for arm in self.study.figures[name].arms(self.variants)))

    def _runs(self, counts: Mapping[RunConfig, int]) -> list[RunConfig]:
        seeds = [(self.first_seed + number, arm) for arm, count in counts.items() for number in range(count)]
        ordered = sorted(seeds, key=lambda pair: pair[0])
        return list(dict.fromkeys(dataclasses.replace(arm, seed=arm.seed + seed) for seed, arm in ordered))

    def _seeds_text(self, base: str) -> str:
        counts = {count for arm, count in self._seed_counts.items() if self.base_of(arm) == base}
        return " to ".join(str(end) for end in sorted({min(counts), max(counts)})) + " seeds"

    def base_of(self, arm: RunConfig) -> str:
        """The name of the base that an arm varies: the first with its data."""
        if len(self.bases) == 1:
            return next(iter(self.bases))
        return next(name for name, base in self.bases.items() if base.data == arm.data)

    def name_of(self, arm: RunConfig) -> str:
        """What sets an arm apart: its base, what the study always tells, and whatever else differs from the base."""
        name = self.base_of(arm)
        facts, base = arm.facts(), self.bases[name].facts()
        same = ("seed", "probes", "consecutive", "intervals")  # what is measured sets no arm apart
        told = [f for f in facts if f not in same and (f in self.study.label_fields or facts[f] != base.get(f))]
        words = [f"{f} {format_value(facts[f])}" for f in told]
        return ", ".join([name, *words] if len(self.bases) > 1 else words or [self.study.name])

    def run_name(self, run: RunConfig) -> str:
        """What sets a run apart: its arm and its seed."""
        return f"{self.name_of(run)}, seed {run.seed}"

    @property
    def used(self) -> list[str]:
        """The bases that have an arm in this plan."""
        return list(dict.fromkeys(map(self.base_of, self._seed_counts)))


def plan(
    study: Study,
    scale: str,
    only: Iterable[str] = (),
    seeds: int | None = None,
    first_seed: int | None = None,
    claim_seeds: Mapping[str, int] | None = None,
) -> Plan:
    """What to do for a study at a scale.

    Args:
        study: The study.
        scale: A row of its scales.
        only: Figures, claims or theorems, by name; all by default. A claim is decided where its figures' runs are made.
        seeds: Seeds per arm, of all claims; by default the scale's own numbers.
        first_seed: The first seed of every arm; the scale's own by default.
        claim_seeds: A claim's id to the number of seeds of all its arms, where that is more than `seeds`.

    Raises:
        ValueError: if a name is unknown, or there is less than one seed, or more than `MOST_SEEDS`.

    Example:
        >>> from clinometer.studies.declared.spec import OwnStudy
        >>> study = OwnStudy(name="rates", model="nets:mlp", factors={"lr": [0.1, 1]}).study()
        >>> [config.seed for config in plan(study, "own", seeds=2, first_seed=100).configs]
        [100, 100, 101, 101]
    """
    check_choice("scale", scale, study.scales)
    claims = {claim.id: claim for claim in study.claims}
    known = [*study.figures, *claims, *study.theorems]
    kind = "figure, claim or theorem"
    chosen = [c for name in only for c in named(known, name) or [check_choice(kind, name, known, listed=100)]]
    own = study.scales[scale]
    first = own.first_seed if first_seed is None else first_seed
    if not 0 <= first <= LAST_FIRST_SEED:
        raise ValueError(f"--first-seed must lie in 0 to {LAST_FIRST_SEED}; found {first}.")
    each = {name: seeds or number for name, number in own.seeds.items()}
    more = claim_seeds if claim_seeds is not None else own.claim_seeds if seeds is None else {}
    _check_seeds("--seeds", seeds)
    for name, count in more.items():
        _check_seeds(f"the seeds of {check_choice('claim', name, claims)}", count)
    needed = {e for name in chosen for e in (claims[name].figures if name in claims else (name,))}
    figures = tuple(name for name in study.figures if name in needed or not chosen)
    decidable = tuple(claim for claim in study.claims if set(claim.figures) <= set(figures))
    theorems = {name: theorem for name, theorem in study.theorems.items() if name in chosen or not chosen}
    planned = {claim.id: more[claim.id] for claim in decidable if claim.id in more}
    return Plan(study, scale, each, figures, decidable, theorems, first, planned)


def _check_seeds(name: str, count: int | None) -> None:
    if count is not None and count < 1:
        raise ValueError(f"{name} must be at least 1; found {count}. Intervals need at least 2.")
    if count is not None and count > MOST_SEEDS:
        raise ValueError(f"{name} must be at most {MOST_SEEDS}; found {count}.")
