"""The runs of the corpus that a mistake befalls: each cause on several networks, at strengths chosen on seeds 0 to 9.

Chosen so that most of them break within the run and, as far as it is natural, tens of steps after the mistake began.
Some mistakes come at once, as they do in practice, and break a run within a few steps: no alarm announces these.
"""

from dataclasses import dataclass, field
from typing import Any

from clinometer.papers.instability.causes import CAUSES
from clinometer.papers.instability.configs import recorded
from clinometer.papers.instability.healthy import HELD_OUT, LARGEST_STABLE, OPTIMIZERS, training
from clinometer.training.config import RunConfig


@dataclass(frozen=True)
class Case:
    """A mistake in a training."""

    cause: str
    network: str
    variant: str
    optimizer: str
    share: float  # the full rate over the largest stable one
    strength: float
    over: int
    from_step: int = 100
    more: dict[str, Any] = field(default_factory=dict[str, Any])

    def run(self, seed: int) -> RunConfig:
        """The run with this seed."""
        largest = LARGEST_STABLE[self.network, self.variant][OPTIMIZERS.index(self.optimizer)]
        more: dict[str, Any] = {"batch_size": 32, **self.more}
        healthy = training(self.network, self.variant, self.optimizer, self.share * largest, seed=seed, **more)
        return recorded(healthy, self.cause, self.strength, self.from_step, self.over)


_DECAY, _LONG = {"weight_decay": 5e-3}, {"warm_up": 250}
CASES = (
    Case("learning_rate", "mlp", "none", "sgd", 0.2, 60, 100, 100),
    Case("learning_rate", "mlp", "none", "adamw", 0.2, 60, 100, 120),
    Case("learning_rate", "mlp", "batch", "momentum", 0.2, 60, 100, 140),
    Case("learning_rate", "cnn", "none", "adamw", 0.2, 60, 100, 100),
    Case("learning_rate", "cnn", "batch", "momentum", 0.2, 60, 100, 120),
    Case("learning_rate", "cnn", "layer", "adamw", 0.2, 25, 0, 130),
    Case("learning_rate", "resnet", "batch", "adamw", 0.2, 60, 100, 140),
    Case("learning_rate", "resnet", "none", "muon", 0.2, 60, 100, 100),
    Case("learning_rate", "recurrent", "tanh", "momentum", 0.2, 14, 0, 100),
    Case("learning_rate", "gpt", "layer", "adamw", 0.3, 60, 100, 120),
    Case("adam_constants", "mlp", "none", "adamw", 0.3, 0.3, 0, 100),
    Case("adam_constants", "mlp", "batch", "adamw", 0.3, 0.3, 0, 130),
    Case("adam_constants", "cnn", "none", "adamw", 0.3, 0.3, 0, 110),
    Case("adam_constants", "cnn", "batch", "adamw", 0.3, 0.3, 0, 120),
    Case("adam_constants", "cnn", "layer", "adamw", 0.3, 0.3, 0, 140),
    Case("adam_constants", "resnet", "batch", "adamw", 0.3, 0.3, 0, 100),
    Case("adam_constants", "recurrent", "gru", "adamw", 0.3, 0.0, 0, 120),
    Case("adam_constants", "gpt", "layer", "adamw", 0.5, 0.0, 0, 130),
    Case("half_precision", "mlp", "none", "sgd", 0.3, 2.0**24, 96, 100),
    Case("half_precision", "mlp", "batch", "momentum", 0.3, 2.0**24, 96, 120),
    Case("half_precision", "cnn", "layer", "momentum", 0.3, 2.0**24, 96, 140),
    Case("half_precision", "cnn", "none", "muon", 0.3, 2.0**24, 96, 110),
    Case("half_precision", "resnet", "batch", "adamw", 0.3, 2.0**24, 96, 130),
    Case("half_precision", "recurrent", "gru", "momentum", 0.3, 2.0**24, 96, 100),
    Case("half_precision", "gpt", "layer", "adamw", 0.5, 2.0**24, 96, 120),
    Case("corrupted_batches", "mlp", "none", "sgd", 0.3, 3, 120, 100),
    Case("corrupted_batches", "mlp", "none", "adamw", 0.3, 10, 60, 130),
    Case("corrupted_batches", "cnn", "none", "momentum", 0.3, 3, 120, 110),
    Case("corrupted_batches", "cnn", "batch", "momentum", 0.3, 3, 80, 120),
    Case("corrupted_batches", "cnn", "layer", "adamw", 0.3, 1, 120, 140),
    Case("corrupted_batches", "resnet", "none", "adamw", 0.3, 3, 120, 100),
    Case("corrupted_batches", "resnet", "batch", "muon", 0.3, 3, 80, 130),
    Case("corrupted_batches", "recurrent", "gru", "momentum", 0.3, 3, 120, 110),
    Case("scaled_head", "mlp", "none", "adamw", 0.4, 30, 60, 120),
    Case("scaled_head", "mlp", "batch", "momentum", 0.3, 10, 60, 100),
    Case("scaled_head", "cnn", "batch", "momentum", 0.3, 10, 60, 130),
    Case("scaled_head", "resnet", "batch", "momentum", 0.3, 10, 60, 110),
    Case("scaled_head", "resnet", "batch", "adamw", 0.4, 30, 60, 140),
    Case("scaled_head", "recurrent", "tanh", "momentum", 0.3, 10, 60, 120),
    Case("scaled_head", "recurrent", "gru", "adamw", 0.4, 30, 60, 100),
    Case("scaled_head", "gpt", "layer", "muon", 0.4, 100, 80, 130),
    Case("attention_logits", "gpt", "layer", "adamw", 0.4, 1e8, 150, 100),
    Case("attention_logits", "gpt", "layer", "adamw", 0.15, 1e8, 100, 130),
    Case("attention_logits", "gpt", "layer", "muon", 0.4, 1e8, 150, 110),
    Case("attention_logits", "gpt", "layer", "momentum", 0.6, 1e8, 150, 120),
    Case("attention_logits", "gpt", "layer", "sgd", 0.6, 1e8, 100, 140),
    Case("short_warm_up", "mlp", "none", "sgd", 1.6, 1, 0, 40, _LONG),
    Case("short_warm_up", "mlp", "none", "sgd", 1.6, 1, 30, 50, _LONG),
    Case("short_warm_up", "cnn", "none", "momentum", 1.6, 1, 30, 40, _LONG),
    Case("short_warm_up", "cnn", "none", "momentum", 2.0, 1, 0, 60, _LONG),
    Case("short_warm_up", "cnn", "layer", "sgd", 3.2, 1, 30, 50, _LONG),
    Case("short_warm_up", "mlp", "none", "momentum", 3.0, 1, 30, 60, _LONG),
    Case("short_warm_up", "recurrent", "tanh", "adamw", 3.0, 1, 30, 40, _LONG),
    Case("short_warm_up", "recurrent", "tanh", "momentum", 1.6, 1, 30, 50, _LONG),
    Case("undivided_accumulation", "mlp", "none", "sgd", 0.3, 16, 80, 100),
    Case("undivided_accumulation", "mlp", "none", "sgd", 0.3, 8, 0, 130),
    Case("undivided_accumulation", "mlp", "batch", "momentum", 0.3, 32, 80, 110),
    Case("undivided_accumulation", "cnn", "batch", "sgd", 0.3, 16, 80, 120),
    Case("undivided_accumulation", "cnn", "layer", "sgd", 0.3, 16, 80, 140),
    Case("undivided_accumulation", "cnn", "batch", "sgd", 0.3, 8, 0, 110),
    Case("undivided_accumulation", "resnet", "none", "momentum", 0.3, 16, 80, 100),
    Case("undivided_accumulation", "recurrent", "gru", "momentum", 0.3, 16, 80, 120),
    Case("undivided_accumulation", "recurrent", "tanh", "momentum", 0.3, 16, 80, 130),
    Case("flipped_labels", "mlp", "none", "sgd", 0.3, 0.7, 80, 100),
    Case("flipped_labels", "mlp", "batch", "momentum", 0.3, 1.0, 0, 130),
    Case("flipped_labels", "cnn", "batch", "adamw", 0.3, 0.7, 80, 110),
    Case("flipped_labels", "cnn", "layer", "sgd", 0.3, 1.0, 100, 120),
    Case("flipped_labels", "cnn", "none", "muon", 0.3, 0.8, 100, 140),
    Case("flipped_labels", "resnet", "none", "momentum", 0.3, 1.0, 100, 100),
    Case("flipped_labels", "resnet", "batch", "muon", 0.3, 0.7, 80, 130),
    Case("flipped_labels", "recurrent", "tanh", "muon", 0.3, 0.7, 80, 120),
    Case("flipped_labels", "recurrent", "gru", "adamw", 0.3, 1.0, 0, 110),
    Case("scaled_input", "mlp", "none", "sgd", 0.4, 30, 60, 120),
    Case("scaled_input", "mlp", "none", "momentum", 0.25, 30, 60, 100),
    Case("scaled_input", "mlp", "none", "adamw", 0.4, 100, 60, 130),
    Case("scaled_input", "cnn", "none", "momentum", 0.25, 30, 60, 110),
    Case("scaled_input", "cnn", "none", "adamw", 0.4, 100, 60, 140),
    Case("scaled_input", "cnn", "batch", "adamw", 0.4, 300, 80, 120),
    Case("scaled_input", "cnn", "layer", "momentum", 0.4, 1000, 80, 100),
    Case("scaled_input", "resnet", "none", "sgd", 0.4, 100, 60, 110),
    Case("scaled_input", "resnet", "none", "adamw", 0.4, 100, 60, 130),
    Case("late_unfreezing", "mlp", "none", "sgd", 0.5, 200, 40, 60),
    Case("late_unfreezing", "mlp", "none", "momentum", 0.5, 200, 40, 80),
    Case("late_unfreezing", "mlp", "none", "momentum", 0.5, 30, 0, 70),
    Case("late_unfreezing", "cnn", "none", "sgd", 0.3, 200, 40, 90),
    Case("late_unfreezing", "cnn", "none", "momentum", 0.5, 200, 40, 60),
    Case("late_unfreezing", "cnn", "layer", "momentum", 0.5, 30, 0, 80),
    Case("late_unfreezing", "resnet", "none", "sgd", 0.5, 30, 0, 70),
    Case("scale_invariant_decay", "mlp", "batch", "sgd", 0.3, 400, 80, 100, _DECAY),
    Case("scale_invariant_decay", "mlp", "batch", "momentum", 0.3, 400, 80, 130, _DECAY),
    Case("scale_invariant_decay", "cnn", "batch", "momentum", 0.3, 400, 80, 110, _DECAY),
    Case("scale_invariant_decay", "cnn", "batch", "momentum", 0.3, 0, 0, 120, _DECAY),
    Case("scale_invariant_decay", "resnet", "batch", "momentum", 0.3, 200, 0, 100, _DECAY),
    Case("scale_invariant_decay", "resnet", "batch", "momentum", 0.3, 400, 80, 140, _DECAY),
    Case("scale_invariant_decay", "resnet", "batch", "sgd", 0.3, 0, 0, 120, _DECAY),
    Case("scale_invariant_decay", "resnet", "batch", "sgd", 0.3, 1000, 80, 130, _DECAY),
)


def _tuning() -> tuple[RunConfig, ...]:
    """Every case of set A once."""
    return tuple(case.run(seed) for seed, case in enumerate(CASES) if CAUSES[case.cause].set == "A")


def _held_out() -> tuple[RunConfig, ...]:
    """Every second case of set A with another seed, and every case of set B."""
    chosen = [case for index, case in enumerate(CASES) if CAUSES[case.cause].set == "B" or index % 2]
    return tuple(case.run(HELD_OUT + seed) for seed, case in enumerate(chosen))


TUNING, HELD_OUT_RUNS = _tuning(), _held_out()
