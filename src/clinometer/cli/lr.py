"""`clinometer lr`."""

from pathlib import Path

from clinometer.cli.answer import Answer
from clinometer.cli.errors import bad_input
from clinometer.learning_rate.script import ScriptError, suggest_for
from clinometer.training.imports import followed, look_in, where_raised


def lr_command(train: str, /) -> Answer:
    """Find the largest stable learning rate of a training, the one to take, and what is certain of them.

    Parameters
    ----------
    train
        MODULE:FUNCTION, which is looked for in this folder first. The function takes no arguments. It returns
        (model, loss_fn, batches, optimizer); or it trains with a Recorder, and is ended when that has seen 40 batches.
    """
    look_in(Path.cwd())
    with bad_input():
        function = followed("train", train)
        if not callable(function):
            raise ValueError(f"expected a function at {train!r}; found {function!r}.")
    try:
        with bad_input():
            found = suggest_for(function)
    except ScriptError as error:
        return Answer({}, status=1, error=f"{train} raised {where_raised(error.__cause__ or error)}.")
    return Answer(found.as_dict(), [str(found)])
