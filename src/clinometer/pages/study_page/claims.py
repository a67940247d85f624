"""The claims of a study as its page shows them: a row each, which opens to its parts, its rule and its figures."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from clinometer.pages.status import have_one_status, recorded_texts
from clinometer.pages.study_page.anchors import Anchors
from clinometer.pages.study_page.forest import Axis, axes, bar
from clinometer.pages.study_page.sources import linked
from clinometer.pages.tables import judged_text, status_text
from clinometer.readable.text import plain
from clinometer.studies.claims_json import deciding_part
from clinometer.studies.effect_text import effect_text, name_text, number_text, seeds_text

Row = Mapping[str, Any]  # of claims.json, or of a part in it

VERDICTS = ("holds", "fails", "undecided")
_VERBS = {"holds": ("holds", "hold"), "fails": ("fails", "fail"), "undecided": ("is undecided", "are undecided")}


@dataclass(frozen=True)
class ShownPart:
    """A part of a claim: its numbers, the same in words, and its interval as a bar."""

    row: Row
    effect: str  # "×0.08 [0.05, 0.13]"
    log10: str  # "log10 −1.1 [−1.3, −0.9]", where it was compared by logarithms
    name: str
    seeds: str
    judged: str
    bar: Markup


@dataclass(frozen=True)
class ShownClaim:
    """A claim, its verdict, and all that its row opens to."""

    row: Row
    anchor: str
    first: ShownPart  # the one that tells best why the verdict is so
    outcome: str  # of its parts, "2 hold, 1 fails"; empty where there is but one
    parts: Sequence[ShownPart]
    beside: Sequence[ShownPart]
    source: Markup
    status: str
    recorded: Sequence[str]  # rules that were recorded and are not its rule now
    figures: Sequence[str]  # the names of those that show it
    committed: str = ""  # its verdict elsewhere, if it is known


@dataclass(frozen=True)
class ShownClaims:
    """All claims of a study, with the axes that their intervals lie on."""

    claims: Sequence[ShownClaim]
    axes: Mapping[str, Axis]  # by unit, those that the rows use

    @property
    def tally(self) -> dict[str, int]:
        """How many claims have each verdict."""
        return tally([claim.row for claim in self.claims])


def shown_claims(
    rows: Sequence[Row], figures: Mapping[str, Sequence[str]], anchors: Anchors, committed: Mapping[str, str]
) -> ShownClaims:
    """What the page shows of the rows of `claims.json`.

    Args:
        rows: The claims.
        figures: The claim's id to the figures that show it.
        anchors: Those of the page.
        committed: The claim's id to its verdict elsewhere.
    """
    scales, alike = axes(rows), have_one_status(rows)
    claims = [
        ShownClaim(
            row,
            anchors.of(row["id"]),
            _shown_part(deciding_part(row), scales),
            outcome(row["parts"]),
            [_shown_part(part, scales) for part in row["parts"]],
            [_shown_part(part, scales) for part in row["beside"]],
            linked(row["source"]),
            status_text(row, alike),
            recorded_texts(row),
            figures.get(row["id"], ()),
            committed.get(row["id"], ""),
        )
        for row in rows
    ]
    used = dict.fromkeys(claim.first.row["unit"] for claim in claims if claim.first.row["n"])
    return ShownClaims(claims, {unit: scales[unit] for unit in used})


def tally(rows: Sequence[Row]) -> dict[str, int]:
    """How many rows have each verdict, those that nothing has included.

    Example:
        >>> tally([{"verdict": "fails"}, {"verdict": "holds"}, {"verdict": "fails"}])
        {'holds': 1, 'fails': 2, 'undecided': 0}
    """
    counts = Counter(row["verdict"] for row in rows)
    return {verdict: counts[verdict] for verdict in VERDICTS}


def outcome(parts: Sequence[Row]) -> str:
    """What becomes of the parts of a claim, in words; nothing where there is but one.

    Example:
        >>> outcome([{"verdict": "holds"}, {"verdict": "fails"}, {"verdict": "holds"}]), outcome([{"verdict": "fails"}])
        ('2 parts hold, 1 fails', '')
    """
    if len(parts) < 2:
        return ""
    found = [(verdict, count) for verdict, count in tally(parts).items() if count]
    told = [f"{count} {_VERBS[verdict][count > 1]}" for verdict, count in found]
    first, *others = told
    count, verb = first.split(" ", 1)
    return ", ".join([f"{count} {'part' if count == '1' else 'parts'} {verb}", *others])


def tally_text(rows: Sequence[Row]) -> str:
    """How many claims hold, fail and are undecided, in a sentence, and how many of them explore.

    Example:
        >>> rows = [{"verdict": verdict, "status": "confirmatory"} for verdict in ("holds", "holds", "fails")]
        >>> tally_text(rows)
        'Of 3 claims 2 hold, 1 fails and 0 are undecided.'
        >>> tally_text([*rows, {"verdict": "undecided", "status": "exploratory"}])
        'Of 4 claims 2 hold, 1 fails and 1 is undecided; 1 of all is exploratory.'
    """
    holds, fails, undecided = (f"{count} {_VERBS[verdict][count != 1]}" for verdict, count in tally(rows).items())
    explored = sum(row.get("status") == "exploratory" for row in rows)
    more = f"; {explored} of all {'is' if explored == 1 else 'are'} exploratory" if explored else ""
    return f"Of {len(rows)} claim{'s' * (len(rows) != 1)} {holds}, {fails} and {undecided}{more}."


def short_effect(part: Row) -> str:
    """An effect with its interval, as short as it can be told.

    Example:
        >>> part = {"value": 0.0801, "low": 0.0512, "high": None, "unit": "factor", "n": 3}
        >>> short_effect(part), short_effect(part | {"unit": "steps"})
        ('×0.0801 [0.0512, ∞]', '0.0801 steps [0.0512, ∞]')
    """
    told = effect_text(part)
    return told.replace("a factor ", "×", 1) if part["unit"] == "factor" else told


def log10_text(part: Row) -> str:
    """The same as a logarithm, if it was compared by it; empty if it was not, or nothing finite is known.

    Example:
        >>> compared = {"value": -1.096, "low": -1.29, "high": None}
        >>> log10_text({"unit": "factor", "compared": compared}), log10_text({"unit": "steps", "compared": compared})
        ('log10 −1.1 [−1.29, ∞]', '')
    """
    compared = part.get("compared")
    if part["unit"] not in ("factor", "relative") or not compared or compared["value"] is None:
        return ""
    low, high = compared["low"], compared["high"]
    if low is None and high is None:
        return f"log10 {number_text(compared['value'])}".replace("-", "−")
    ends = ("-∞" if low is None else number_text(low)), ("∞" if high is None else number_text(high))
    return f"log10 {number_text(compared['value'])} [{', '.join(ends)}]".replace("-", "−")


def _shown_part(part: Row, scales: Mapping[str, Axis]) -> ShownPart:
    effect, name, judged = short_effect(part), name_text(part), judged_text(part)
    said = plain(f"{part['verdict']}: {effect}, {judged}: {name}")
    drawn = bar(part, scales[part["unit"]], said)
    return ShownPart(part, effect, log10_text(part), name, seeds_text(part), judged, drawn)
