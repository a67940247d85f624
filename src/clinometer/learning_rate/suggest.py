"""`suggest_lr`: which learning rate to take, from a hundred steps that leave nothing behind."""

from collections.abc import Callable, Iterable
from typing import Any

from torch import Tensor, nn

from clinometer.learning_rate.learning_rates import LearningRates
from clinometer.learning_rate.search import Search
from clinometer.learning_rate.trials import Trials
from clinometer.objective.batches import Batches
from clinometer.objective.objective import Batch, LossFn
from clinometer.recorder.first_mistakes import check_loss_fn, check_model_kind

FEWEST, MOST = 20, 40  # batches


def suggest_lr(
    model: nn.Module,
    loss_fn: LossFn,
    batches: Iterable[Batch] | Batches,
    optimizer: Any | Callable[[list[Tensor]], Any],
) -> LearningRates:
    """The largest learning rate at which training is stable, the rate to take, and how sure that is.

    Short trainings really move the model, on copies: afterwards parameters, buffers, gradients, optimizer, random
    streams and modes are as they were, bit for bit. Cost: at most 100 forward-backward passes.

    Args:
        model: The model, in the mode in which it is trained.
        loss_fn: `loss_fn(model, batch)`, the scalar that training minimises.
        batches: Training batches in the order of training: a list, a loader, or any iterable, of which at most 40 are
            read and at least 20 are needed; a generator is read on. A loader that shuffles does so by a seed of its
            own. For training that sees the same batch at each step: `itertools.repeat(batch)`.
        optimizer: The optimizer, which goes on from its state in trials; or a function that makes one of a list of
            parameters, such as `torch.optim.AdamW`. What is found is the rate of its first group of parameters; other
            groups keep their ratio to it.

    Returns:
        `LearningRates`; where it cannot tell, `reason` says why and the rates are NaN.

    Raises:
        TypeError: if an argument is not what it should be.
        ValueError: if the model has nothing to train, the loss is no scalar that depends on it, there is no batch, or
            several processes train the model. What `loss_fn` raises at the start is raised.
    Source: the benchmark `clinometer.papers.learning_rates`, which scores it; the rising rate is Smith's (2017) range
        test, arXiv:1506.01186.

    Example:
        >>> import torch; from itertools import repeat               # L(w) = 2w², with curvature 4
        >>> model, loss_fn = nn.Linear(1, 1, bias=False), lambda model, _: 2 * model.weight.square().sum()
        >>> found = suggest_lr(model, loss_fn, repeat(None), lambda parameters: torch.optim.SGD(parameters, lr=0.1))
        >>> found.low < 2 / 4 < found.high, round(found.predictors["curvature"], 3)
        (True, 0.5)
    """
    check_model_kind(model)
    check_loss_fn(loss_fn)
    read = batches if isinstance(batches, Batches) else Batches(batches, limit=MOST)
    return suggest(Trials(model, loss_fn, read.read(), optimizer))


def suggest(trials: Trials) -> LearningRates:
    """The learning rates of a training that begins where the trials do, if there are batches enough for them."""
    if len(trials.batches) < FEWEST:
        return LearningRates(reason=f"{len(trials.batches)} batches are too few; at least {FEWEST} are needed")
    return Search(trials).run()
