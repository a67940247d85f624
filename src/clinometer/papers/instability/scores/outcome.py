"""What is known of a run without any alarm: why it should break, from which step on, and when it did."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Literal

HEALTHY = "none"  # the cause of a run that nobody tampered with
FIRST_HELD_OUT_SEED = 100

Half = Literal["tuning", "held-out causes", "held-out seeds"]


@dataclass(frozen=True)
class Outcome:
    """A run's facts, as its trainer wrote them down; `broke_at` follows from the loss alone."""

    run: str  # the name of its folder
    network: str
    cause: str  # HEALTHY where nobody tampered
    half: Half
    steps: int  # that it made
    from_step: int  # the first that was tampered with; `steps` in a healthy run
    tampered_block: str | None = None  # None where no block is to blame
    broke_at: int | None = None  # None where it did not

    @property
    def healthy_steps(self) -> int:
        """The steps at which an alarm is false; none where an untouched run broke."""
        return 0 if self.broke_untouched else min(self.from_step, self.steps)

    @property
    def broke_untouched(self) -> bool:
        """Whether it broke before anybody tampered with it: neither a healthy run nor a break with a known cause."""
        return self.broke_at is not None and self.broke_at < self.from_step

    @property
    def broke_tampered(self) -> bool:
        """Whether it broke once it had been tampered with."""
        return self.broke_at is not None and self.broke_at >= self.from_step


def outcome_of(run: str, facts: Mapping[str, Any], *, half: Half, steps: int, network: str) -> Outcome:
    """The outcome of a finished run.

    Args:
        run: The name of its folder.
        facts: About the run as a whole, from its store.
        half: Of the corpus, from `half_of`.
        steps: That it made.
        network: What it trained.

    Raises:
        ValueError: if a fact that every run of the corpus has is missing, or cannot be.
    """
    missing = [name for name in ("cause", "tampered_block", "from_step", "broke_at") if name not in facts]
    if missing:
        raise ValueError(f"run {run} does not say its {', '.join(missing)}: it is not of this corpus. Make it again.")
    cause, block = facts["cause"], facts["tampered_block"]
    begins = steps if cause == HEALTHY else facts["from_step"]
    if not 0 <= begins <= steps:
        raise ValueError(f"run {run} was tampered with from step {begins} on and has {steps} steps. Make it again.")
    return Outcome(run, network, cause, half, steps, begins, block, facts["broke_at"])


def half_of(cause: str, seed: int, known: Collection[str]) -> Half:
    """To which half of the corpus a run belongs.

    Args:
        cause: Why it should break.
        seed: Its seed.
        known: The causes that rules are tuned on.

    Example:
        >>> [half_of(cause, 100, {"lr"}) for cause in ("none", "lr", "label flips")]
        ['held-out seeds', 'held-out seeds', 'held-out causes']
    """
    if cause != HEALTHY and cause not in known:
        return "held-out causes"
    return "held-out seeds" if seed >= FIRST_HELD_OUT_SEED else "tuning"
