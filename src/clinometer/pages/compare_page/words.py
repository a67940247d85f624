"""What a comparison of runs says: a verdict in one sentence, what it is worth, and its numbers as text."""

import math
from collections.abc import Iterator, Sequence

from clinometer.recorder.facts.stored import run_facts
from clinometer.results.compare_runs import RunComparison
from clinometer.results.compared import SAME, Compared
from clinometer.studies.effect_text import number_text

_SETTINGS, _LONG = 4, 60  # as many as the sentence names, and how long each may be; the table has all
_OTHERS = 3  # numbers that are neither a training loss nor a share of the edge

ONE_SEED = (
    "One seed a side cannot tell a change from another draw of the seed: run both again with other seeds, and give "
    "the lists."
)


def verdict_text(found: RunComparison) -> str:
    """The verdict in one sentence: whether the change helped, which block is nearest to the edge, what differs.

    A run that diverged comes first: nothing that is said of the steps before makes up for that.
    """
    return "; ".join([*found.broken, _helped(found), *_nearest(found), _differ(found)]) + "."


def worth_text(found: RunComparison) -> str:
    """What the verdict is worth."""
    first, last = found.window
    judged = sum(not math.isnan(each.adjusted) for each in found.compared)
    adjusted = f" {judged} numbers are judged together (Holm)." if judged > 1 else ""
    if found.several:
        counts = " and ".join(str(len(side)) for side in found.runs)
        return f"{counts} runs, each by its median over steps {first} to {last}, with Welch's intervals.{adjusted}"
    return f"Steps {first} to {last} of these two runs.{adjusted} {ONE_SEED}"


def difference_text(each: Compared) -> str:
    """A difference with its interval; a factor where the number is compared as one."""
    found = each.difference
    if math.isnan(found.value):
        return "–"
    if each.scale == "factor":
        value, low, high = f"×{number_text(found.value)}", number_text(found.low), number_text(found.high)
    else:
        value, low, high = _signed(found.value), _signed(found.low), _signed(found.high)
    return value if math.isnan(found.low) else f"{value} [{low}, {high}]"


def verdict_words(each: Compared) -> str:
    """The verdict, and what `reason_text` says of it."""
    reason = reason_text(each)
    return f"{each.verdict}: {reason}" if reason else each.verdict


def reason_text(each: Compared) -> str:
    """Why a verdict is as it is; how large a difference may have gone unseen; and what is a fact whatever the noise."""
    if each.verdict == "no difference seen" and not each.reason:
        return unseen_text(each)
    if each.verdict != "undecided" or not each.steps or each.lower is None:
        return each.reason
    return f"{each.reason}; lower at {each.lower} of {each.steps}"


def unseen_text(each: Compared) -> str:
    """How large the difference may be at most, by its interval."""
    found = each.difference
    if each.scale == "factor":
        most = max(found.high, 1 / found.low if found.low > 0 else math.inf)
        return f"smaller than a factor {number_text(most)}"
    return f"smaller than ±{number_text(max(abs(found.low), abs(found.high)))}"


def alarm_texts(found: RunComparison) -> list[str]:
    """How many alarms each side had, and the first of them."""
    said: list[str] = []
    for name, runs in zip(found.names, found.runs, strict=True):
        alarms = sorted((alarm for run in runs for alarm in run.alarms), key=lambda alarm: alarm.step)
        count = f"{len(alarms)} alarm{'' if len(alarms) == 1 else 's'}" if alarms else "no alarm"
        said.append(f"{name}: {count}" + (f", the first at {alarms[0]}" if alarms else "."))
    return said


def _helped(found: RunComparison) -> str:
    mine = found.names[1]
    losses = [each for each in found.compared if each.curve.is_loss]
    seen = [each for each in found.compared if each.verdict in ("better", "worse", "higher", "lower")]
    noise = "between seeds" if found.several else "within these two runs, one seed a side"
    clauses = [*_edge_clauses(seen), *_loss_clauses(seen), *_other_clauses(seen)]
    silent = [_silent(each) for each in losses[:1] if each not in seen]
    if clauses:
        return "; ".join([f"{mine} {' and '.join(clauses)}, beyond the noise {noise}", *silent])
    if not found.compared:
        return f"{mine} and {found.names[0]} have no number in common of which it is known which direction is worse"
    if all(each.verdict == "undecided" for each in found.compared):
        return f"whether {mine} is better cannot be told: {_silent(found.compared[0])}"
    if all(each.reason == SAME for each in found.compared):
        return f"{mine} and {found.names[0]} are the same at every step in all that is compared"
    return "; ".join([f"{mine} and {found.names[0]} do not differ beyond the noise {noise}", *silent])


def _edge_clauses(seen: Sequence[Compared]) -> Iterator[str]:
    """Of shares of a step that is as long as it may be, those that moved one way in one clause."""
    for verdict, words in (("better", "is further from the edge"), ("worse", "is nearer to the edge")):
        moved = [each for each in seen if each.curve.limit and each.verdict == verdict]
        if moved:
            told = [f"{e.curve.label} {number_text(e.mine)} against {number_text(e.base)}" for e in moved[:2]]
            yield f"{words} ({', '.join(told)})"


def _loss_clauses(seen: Sequence[Compared]) -> Iterator[str]:
    for each in seen:
        if each.curve.is_loss:
            word = "faster" if each.verdict == "better" else "slower"
            yield f"trains {word} ({each.curve.label} {difference_text(each)})"
            return


def _other_clauses(seen: Sequence[Compared]) -> Iterator[str]:
    others = [each for each in seen if not each.curve.limit and not each.curve.is_loss]
    for each in others[:_OTHERS]:
        yield f"is {each.verdict} in {each.curve.name} ({difference_text(each)})"
    if len(others) > _OTHERS:
        yield f"differs in {len(others) - _OTHERS} more"


def _silent(each: Compared) -> str:
    if each.verdict == "undecided":
        return f"its {each.curve.label} ({difference_text(each)}) is undecided: {reason_text(each)}"
    return f"in {each.curve.label} {verdict_words(each)}"


def _nearest(found: RunComparison) -> Iterator[str]:
    named = run_facts(found.runs[1][0].facts).named
    for blocks in found.blocks[:1]:
        before, now = blocks.nearest
        if now:
            changed = f"is still {named(now)}" if now == before else f"is now {named(now)} (it was {before or 'none'})"
            yield f"nearest to the edge {changed}"


def _differ(found: RunComparison) -> str:
    if not found.settings:
        known = all(run_facts(run.facts) for side in found.runs for run in side)
        return "no setting that their recorders stored differs" if known else "what they are was not stored in all runs"
    told = [f"{name} {ours} → {theirs}" for name, (ours, theirs) in found.settings.items()]
    short = [each for each in told if len(each) <= _LONG][:_SETTINGS]
    left = len(told) - len(short)
    more = [f"{left} {'more' if short else 'long settings'}"] if left else []
    return f"they differ in: {' and '.join([', '.join(short), *more] if short else more)}"


def _signed(value: float) -> str:
    return f"+{number_text(value)}" if value > 0 else number_text(value)
