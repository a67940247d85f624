"""`clinometer lr`."""

import json as json_text
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from clinometer.cli.console import print_remark
from clinometer.cli.errors import bad_input, print_error
from clinometer.learning_rate.script import ScriptError, suggest_for
from clinometer.training.imports import followed, look_in, where_raised


def lr_command(train: str, /, *, json: Annotated[bool, Parameter(negative="")] = False) -> int:
    """Print the largest stable learning rate of a training, the one to take, and what is certain of them.

    Parameters
    ----------
    train
        MODULE:FUNCTION, which is looked for in this folder first. The function takes no arguments. It returns
        (model, loss_fn, batches, optimizer); or it trains with a Recorder, and is ended when that has seen 40 batches.
    json
        Print it as JSON.
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
        print_error(f"{train} raised {where_raised(error.__cause__ or error)}.")
        return 1
    print_remark(json_text.dumps(found.as_dict(), indent=1) if json else str(found))
    return 0
