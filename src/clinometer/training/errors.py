"""Errors about a choice or a key whose value cannot be used."""

import difflib
from collections.abc import Iterable


class SpecError(ValueError):
    """A key of a study whose value cannot be used. The reader of the study's file adds the file and the line.

    Args:
        key: Dotted, such as `factors.lr` or `claims[0].rule`; empty for the whole.
        message: What was expected, what was found, and what to do.
    """

    def __init__(self, key: str, message: str) -> None:
        super().__init__(f"{key}: {message}" if key else message)
        self.key, self.message = key, message


def check_choice(kind: str, name: str, choices: Iterable[str], key: str = "", *, listed: int = 24) -> str:
    """Return `name` if it is one of the choices.

    Args:
        kind: What is chosen, for the message.
        name: The choice.
        choices: What there is to choose from.
        key: Where in a study file the name stands.
        listed: Up to how many choices the message lists: torch.optim has 60 names.

    Raises:
        SpecError: if it is not; the message says what there is, and what may have been meant.

    Example:
        >>> check_choice("scale", "smoke", ["smoke", "laptop"])
        'smoke'
        >>> check_choice("probe", "landscpe", ["train", "landscape"], "claims[0].quantity")
        Traceback (most recent call last):
        ...
        clinometer.training.errors.SpecError: claims[0].quantity: no probe 'landscpe'; there are train, landscape. \
Did you mean 'landscape'?
    """
    there = list(choices)
    if name in there:
        return name
    close = difflib.get_close_matches(name, there, n=1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    these = f"; there are {', '.join(there) or 'none'}" if len(there) <= listed else ""
    raise SpecError(key, f"no {kind} {name!r}{these}.{hint}")
