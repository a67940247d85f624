"""Which verdicts those of a study are compared with: a file that is named, or what was kept of its paper."""

import contextlib
import json
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from typing import Any

from clinometer.pages.agreement import KeptClaims, read_kept
from clinometer.pages.study_page.remarks import MADE_WITH
from clinometer.papers.kept import kept_claims
from clinometer.training.files import read_small

NONE = "none"  # to compare with nothing


def kept_for(paper: str | None, scale: str, ids: Collection[str], against: Path | str | None) -> KeptClaims | None:
    """The claims to compare a study's verdicts with, if there are some.

    Args:
        paper: The study's paper, whose kept results are meant where nothing else is said; None for a study without one.
        scale: The study's scale.
        ids: The claims of the study.
        against: A `claims.json`, a folder that holds one, or `none` for no comparison.

    Raises:
        OSError or ValueError: as for `read_kept`.
    """
    if not ids or against == NONE:
        return None
    if against is not None:
        return read_kept(Path(against), ids)
    file = kept_claims(paper, scale) if paper else None
    if file is None:
        return None
    try:
        kept = read_kept(file, ids)
    except ValueError as error:
        raise ValueError(
            f"{error} These are the results kept for {paper}; `--against none` leaves them away."
        ) from error
    made = _made_text(file.with_name(MADE_WITH))
    return replace(kept, name=f"the results kept for {paper} at scale {scale}" + (f" ({made})" if made else ""))


def _made_text(file: Path) -> str:
    """Versions and hardware that claims were decided with, as far as they are told."""
    facts: Any = {}
    with contextlib.suppress(OSError, ValueError, RecursionError):
        facts = json.loads(read_small(file))
    try:
        packages, note = facts["packages"], facts.get("note", "")
        own = packages["clinometer"] if packages["clinometer"][:1].isdigit() else f"at commit {facts['commit']}"
        device = facts["processor"] if facts["device"] == "cpu" else facts["device"]
        return f"clinometer {own}, torch {packages['torch']}, {device}" + (f"; {note}" if note else "")
    except (LookupError, TypeError, AttributeError):
        return ""
