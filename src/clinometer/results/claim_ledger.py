"""Files in which a study keeps something of each claim for each first seed: its looks, and its rules."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from clinometer.store import DamagedError
from clinometer.training.files import read_sealed

Entry = TypeVar("Entry")


def read_ledger(path: Path, parse: Callable[[Any], Entry], lost: str) -> dict[str, dict[str, Entry]]:
    """First seed to claim's id to what is kept of it; nothing where the file is not there.

    Args:
        path: The sealed file.
        parse: Makes an entry of its JSON; raises AttributeError, LookupError, TypeError or ValueError if it is none.
        lost: What is not known if the file is damaged.

    Raises:
        DamagedError: if the file is not what was written.
        OSError: if it cannot be read.
    """
    if not path.exists():
        return {}
    try:
        return {
            str(int(first)): {claim: parse(entry) for claim, entry in claims.items()}
            for first, claims in read_sealed(path).items()
        }
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        raise DamagedError(f"{path} is damaged, so {lost} are not known. Put a sound copy in its place.") from error
