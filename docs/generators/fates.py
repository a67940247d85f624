"""What became of claims over scales: they hold, fail, depend on the scale or are open."""

from collections.abc import Mapping

from generators.kept import Rows


def by_claim(rows: Rows) -> dict[str, dict[str, str]]:
    """The verdict at each scale that has one, by the claim's id, in the order of the ids."""
    verdicts: dict[str, dict[str, str]] = {}
    for scale, of_scale in rows.items():
        for claim, row in of_scale.items():
            verdicts.setdefault(claim, {})[scale] = row["verdict"]
    return {claim: verdicts[claim] for claim in sorted(verdicts, key=lambda name: (name[0], int(name[1:])))}


def fate(verdicts: Mapping[str, str]) -> tuple[str, str]:
    """What became of a claim, and at which scales."""
    decided = {scale: verdict for scale, verdict in verdicts.items() if verdict != "undecided"}
    if len(set(decided.values())) > 1:
        return "Depends on the scale", ", ".join(f"{scale} {verdict}" for scale, verdict in decided.items())
    if decided:
        return "Holds" if "holds" in decided.values() else "Fails", ", ".join(decided)
    return "Open", ", ".join(verdicts)
