"""A budget of time for making runs, and what runs cost by those of the same arm that are finished."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from clinometer.store import DamagedError
from clinometer.training.config import RunConfig
from clinometer.training.run import groups
from clinometer.training.run_folder import is_done, run_folder, seconds_of


class RunSeconds:
    """How long the finished runs of a study took, each by its process, arm by arm.

    Args:
        study: The study's folder.
    """

    def __init__(self, study: Path) -> None:
        self.study = study
        self._seconds: dict[RunConfig, dict[int, float | None]] = {}  # arm to seed to what is known

    def note(self, configs: Iterable[RunConfig]) -> None:
        """Read what those of these runs took that have finished since they were last noted."""
        for config in configs:
            known = self._seconds.setdefault(config.vary(seed=0), {})
            folder = run_folder(self.study, config)
            if config.seed not in known and is_done(folder):
                try:
                    known[config.seed] = seconds_of(folder)
                except (DamagedError, OSError):
                    known[config.seed] = None

    def of(self, configs: Iterable[RunConfig], longest: bool = False) -> float:
        """What these runs take together: the mean, or the longest, of each arm; of an arm without any, nothing."""
        return sum(self._of_arm(config.vary(seed=0), longest) for config in configs)

    def _of_arm(self, arm: RunConfig, longest: bool) -> float:
        found = [seconds for seconds in self._seconds.get(arm, {}).values() if seconds is not None]
        return 0.0 if not found else max(found) if longest else sum(found) / len(found)


@dataclass
class TimeBudget:
    """No run is started that would not end within the budget, by the longest run of its arm that is finished.

    A run of an arm of which none is finished is started while there is any time left, so that the budget may be
    exceeded by it, and by a run that takes longer than those before it.

    Args:
        seconds: From now on; may be infinite.
        known: What runs took.
    """

    seconds: float
    known: RunSeconds
    left_out: list[RunConfig] = field(default_factory=list[RunConfig])  # those that did not fit
    started: int = 0  # how many runs did
    _began: float = field(default_factory=time.monotonic)

    @property
    def left(self) -> float:
        """The seconds that are left."""
        return self.seconds - (time.monotonic() - self._began)

    def admit(self, runs: Sequence[RunConfig], planned: Sequence[RunConfig]) -> bool:
        """Whether these runs, which one process makes, fit into what is left; it is noted as their start.

        Args:
            runs: Of one arm.
            planned: The runs of the study, those of this arm among them.
        """
        self.known.note(config for config in planned if config.vary(seed=runs[0].seed) == runs[0])
        fits = self.known.of(runs, longest=True) < self.left
        if fits:
            self.started += len(runs)
        else:
            self.left_out += runs
        return fits

    def shortest(self) -> float:
        """The seconds of the process that would take the least time of those that did not fit."""
        return min((self.known.of(group, longest=True) for group in groups(self.left_out)), default=0.0)
