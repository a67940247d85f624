"""What stands for a batch that nothing is evaluated on: neither it nor the state of the modules is kept."""

from typing import Any

from clinometer.objective.snapshot import BatchSnapshot

NOT_KEPT: Any = object()  # the batch of an objective that is asked for its parameters alone


class NotKept(BatchSnapshot):
    """The snapshot of a batch that was not kept: whatever would evaluate it gets a ValueError.

    Example:
        >>> import torch; from clinometer import Objective
        >>> objective = Objective(params={"w": torch.ones(2)}, loss_fn=lambda p, _: p["w"].sum(), batch=NOT_KEPT)
        >>> objective.here()
        {'w': tensor([1., 1.])}
        >>> objective.loss(objective.here())
        Traceback (most recent call last):
        ...
        ValueError: the step's batch was not kept, since every probe that is due declares `evaluates = False`, ...
    """

    def __init__(self, *_what: Any) -> None:
        """As `BatchSnapshot`; nothing is looked at."""

    @property
    def not_restored(self) -> list[str]:
        """Nothing is shared with training."""
        return []

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        raise ValueError(
            "the step's batch was not kept, since every probe that is due declares `evaluates = False`, and one of "
            "them asked for a loss, a gradient or a batch. Take the declaration away, or do without."
        )


def snapshot_of(batch: Any) -> type[BatchSnapshot]:
    """The class of snapshots for a batch: `NotKept` for `NOT_KEPT`."""
    return NotKept if batch is NOT_KEPT else BatchSnapshot
