"""The runs of the corpus as configs: a training, what is recorded of it, and the mistake that befalls it."""

import dataclasses

from clinometer.papers.instability.healthy import HELD_OUT
from clinometer.training.config import ProbeSpec, RunConfig
from clinometer.training.settings import Settings

_HERE = "clinometer.papers.instability"
TRAINER = f"{_HERE}.trainer:train"
PROBES: tuple[ProbeSpec, ...] = (
    ("step_norms", Settings()),
    ("headroom", Settings()),
    ("headroom", Settings(blocks="layers")),
    ("activation_moments", Settings()),
    ("noise_scale", Settings()),
)
ATTENTION: ProbeSpec = ("attention_logits", Settings())  # of gpt: the other networks have none
MEASURE_EVERY = 5
INTERVALS = Settings(step_norms=1, noise_scale=20)  # norms cost no pass, and the noise scale changes slowly


def recorded(
    training: RunConfig, cause: str = "none", strength: float = 1.0, from_step: int = 0, over: int = 0
) -> RunConfig:
    """A run of the corpus.

    Args:
        training: What is trained, without probes.
        cause: A row of `CAUSES`.
        strength: Of the mistake; what it is of, the cause says.
        from_step: The first step at which the mistake is in force.
        over: In how many steps it grows to its strength; 0 for at once.

    Example:
        >>> from clinometer.papers.instability.healthy import training
        >>> run = recorded(training("mlp", "none", "sgd", 0.1, seed=0), "learning_rate", 9.0, from_step=100)
        >>> run["cause"], list(run.steps_of("noise_scale"))[:3], len(run.steps_of("step_norms"))
        ('learning_rate', [0, 20, 40], 300)
    """
    mistake = {"cause": cause, "strength": float(strength), "from_step": from_step, "over": over}
    return dataclasses.replace(
        training,
        trainer=TRAINER,
        settings=Settings({**training.settings, **mistake}),
        probes=(*PROBES, ATTENTION) if training.model.endswith(":gpt") else PROBES,
        measure_every=MEASURE_EVERY,
        intervals=INTERVALS,
    )


def shortened(run: RunConfig, steps: int) -> RunConfig:
    """The run with fewer steps, a third as often measured, its warm-up and its mistake's steps in the same proportion.

    Example:
        >>> from clinometer.papers.instability.healthy import training
        >>> run = recorded(training("mlp", "none", "sgd", 0.1, seed=0), "learning_rate", 9.0, from_step=100, over=60)
        >>> short = shortened(run, 150)
        >>> short.steps, short["warm_up"], short["from_step"], short["over"], short.measure_every
        (150, 5, 50, 30, 15)
    """
    part = {name: run[name] * steps // run.steps for name in ("warm_up", "from_step", "over")}
    return run.vary(**part, steps=steps, test_every=steps, measure_every=3 * MEASURE_EVERY)


def is_held_out(run: RunConfig) -> bool:
    """Whether a run belongs to the held-out half, by its seed: no rule is tuned on it."""
    return run.seed >= HELD_OUT
