"""A comparison of runs as data, for programs: what its page and its tables say."""

from typing import Any

from clinometer.pages.compare_page.words import alarm_texts, verdict_text, worth_text
from clinometer.results.compare_runs import RunComparison
from clinometer.results.compared import Compared


def comparison_facts(found: RunComparison) -> dict[str, Any]:
    """The verdict in words, and each number with its difference, as JSON can hold them once infinite ones are null."""
    base, mine = found.names
    return {
        "verdict": verdict_text(found),
        "worth": worth_text(found),
        "base": {"name": base, "folders": [run.folder for run in found.runs[0]]},
        "mine": {"name": mine, "folders": [run.folder for run in found.runs[1]]},
        "settings": {name: {"base": ours, "mine": theirs} for name, (ours, theirs) in found.settings.items()},
        "steps": {"common": found.common, "compared": found.window},
        "numbers": [_number(each) for each in found.compared],
        "blocks": [
            {
                "probe": blocks.probe,
                "share": blocks.label,
                "nearest": {"base": blocks.nearest[0], "mine": blocks.nearest[1]},
                "blocks": blocks.moves,
            }
            for blocks in found.blocks
        ],
        "broken": found.broken,
        "alarms": alarm_texts(found),
        "remarks": found.remarks,
    }


def _number(each: Compared) -> dict[str, Any]:
    return {
        "name": each.curve.name,
        "label": each.curve.label,
        "unit": each.curve.unit,
        "worse": each.curve.worst or None,
        "scale": each.scale,
        "base": each.base,
        "mine": each.mine,
        "difference": each.difference.value,
        "low": each.difference.low,
        "high": each.difference.high,
        "p": each.difference.p,
        "p_holm": each.adjusted,
        "verdict": each.verdict,
        "reason": each.reason,
        "steps": each.steps,
        "mine_lower_at": each.lower,
        "last": {"base": each.last[0], "mine": each.last[1]},
    }
