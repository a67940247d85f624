"""What is wrong with a study of one's own, and where it says so."""

import difflib
from collections.abc import Iterable


class SpecError(ValueError):
    """A key whose value cannot be used. Who read the study adds the file and the line.

    Args:
        key: Dotted, such as `factors.lr` or `claims[0].rule`; empty for the whole.
        message: What was expected, what was found, and what to do.
    """

    def __init__(self, key: str, message: str) -> None:
        super().__init__(f"{key}: {message}" if key else message)
        self.key, self.message = key, message


def known(key: str, kind: str, name: str, names: Iterable[str]) -> str:
    """`name`, or a SpecError that says what there is and what may have been meant.

    Example:
        >>> known("claims[0].quantity", "probe", "landscpe", ["train", "landscape"])
        Traceback (most recent call last):
        ...
        clinometer.training.errors.SpecError: claims[0].quantity: no probe 'landscpe'; there are train, landscape. \
Did you mean 'landscape'?
    """
    there = list(names)
    if name in there:
        return name
    close = difflib.get_close_matches(name, there, n=1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    listed = f"; there are {', '.join(there) or 'none'}" if len(there) <= 20 else ""  # torch.optim has 60 names
    raise SpecError(key, f"no {kind} {name!r}{listed}.{hint}")
