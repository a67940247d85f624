"""How often alarms, suggested rates and advice are right, what signals cost, and all norms beside each other."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from generators.kept import NOT_COUNTED, counts, line, part_of

ADVICE = {
    "rate": {
        "rate_told": "headroom above 30 in runs at a hundredth of the best rate",
        "rate_not_told_when_healthy": "headroom below 30 in runs at the best rate",
        "rate_cured": "the raised rate brings the loss down to where the best one does, in twice the steps",
    },
    "batch": {
        "batch_smaller": "a quarter of the batch takes at most two thirds of the samples, of runs with that advice",
        "batch_larger": "four times the batch takes at most two thirds of the steps, of runs with that advice",
    },
}


def alarms(_: str, results: Path) -> str:
    """What the default alert is worth on held-out runs, and the best of the alarms that people have."""
    found = counts(results / "instability/scores.json")
    if not found:
        return NOT_COUNTED.format("clinometer reproduce instability --scale laptop")
    held = [each for each in found["lines"] if each["part"] == "all held out"]
    score = next(each["score"] for each in held if each["is_default"])
    usual = max(
        (each for each in held if each["kind"] == "usual"), key=lambda each: each["score"]["announced"]["value"]
    )
    announced = score["announced"]
    return (
        f"Of {announced['n']} held-out runs that broke, the default alert announced {_percent(announced)} "
        f"at least 20 steps before, and {_percent(score['of_possible'])} of those that took so long to break. It gave "
        f"{_false(score)} false alarms in 10,000 healthy steps, and had the block to blame among its first two in "
        f"{_percent(score['guilty'])}. The aim was 90%, 1 and 80%. The best of the usual alarms, {usual['alert']}, "
        f"announced {_percent(usual['score']['announced'])} for {_false(usual['score'])} false ones. All of them: "
        "`results/instability/scores.md`."
    )


def alert(name: str, results: Path) -> str:
    """The same of one alert, in a sentence."""
    found = counts(results / "instability/scores.json")
    if not found:
        return NOT_COUNTED.format("clinometer reproduce instability --scale laptop")
    score = next(x["score"] for x in found["lines"] if x["part"] == "all held out" and x["alert"] == name)
    announced = f"announced {_percent(score['announced'])} of the same breaks 20 steps ahead"
    return f"An alert on {name} {announced}, for {_false(score)} false alarms in 10,000 healthy steps."


def _false(score: Mapping[str, Any]) -> str:
    rate = score["false_alarms"]
    return f"{rate['value']:.1f} ({rate['low']:.1f} to {rate['high']:.1f})"


def rates(_: str, results: Path) -> str:
    """How often `suggest_lr` is right."""
    found = counts(results / "learning_rates/scores.json")
    if not found:
        return NOT_COUNTED.format("clinometer reproduce learning_rates --scale laptop")
    score = next(each for each in found["scores"] if each["predictor"] == "suggest_lr")
    return (
        f"On {score['right']['n']} held-out configurations the largest stable rate was within a factor 1.5 of the "
        f"predicted one in {_percent(score['right'])}; the interval held it in {_percent(score['covered'])}. The rate "
        f"ended within 5% of the loss of a sweep's best in {_percent(score['close'])}, and within 10% in "
        f"{_percent(score['near'])}; in {_percent(score['failed'])} it did not train. Beside simpler predictors: "
        "`results/learning_rates/scores.md`."
    )


def advice(name: str, results: Path) -> str:
    """How often the advice on a symptom was right."""
    found = counts(results / "advice.json")
    if not found:
        return NOT_COUNTED.format("python benchmarks/advice.py --to results/advice.json")
    rows = [f"| {text} | {found[key]['right']} of {found[key]['of']} |" for key, text in ADVICE[name].items()]
    return "\n".join([f"By `python benchmarks/advice.py`, {found['about']}:", "", "| | |", "|---|---|", *rows])


def signals(_: str, results: Path) -> str | None:
    """What signals add to a bare step and to a run, for each network; None if that was not measured."""
    found = counts(results / "signals.json")
    if not found:
        return None
    networks = list(found["networks"].values())
    lines = [line("", "at every", *(f"{n['name']}, added | of the run" for n in networks))]
    lines.append(line(*["---"] * (2 + 2 * len(networks))))
    for name, signal in networks[0]["signals"].items():
        cells: list[str] = []
        for network in networks:
            low, middle, high = network["signals"][name]["added"]
            cells += [f"{middle:.2g} ({low:.2g} to {high:.2g})", f"{100 * middle / signal['every']:.1f}%"]
        lines.append(line(f"`{name}`", str(signal["every"]), *cells))
    runs = "; ".join(f"{n['budget']['added']:.1%} to {n['budget']['steps']} steps of {n['name']}" for n in networks)
    bare = ", ".join(f"{1000 * n['bare']:.0f} ms of {n['name']}" for n in networks)
    return "\n".join(
        [
            *lines,
            "",
            "`step_norms()` at every step and all others but the one per layer `within_budget(0.05)` add together "
            f"{runs}. A bare step takes {bare}; {found['about']}, on a machine that did nothing else.",
        ]
    )


def _percent(share: Mapping[str, Any]) -> str:
    """A share with its interval."""
    if not share["n"]:
        return "no run (there was none to count)"
    return f"{100 * share['value']:.0f}% ({100 * share['low']:.0f} to {100 * share['high']:.0f})"


def learning_rates(_: str, results: Path) -> str:
    """The table and the remarks of the held-out set, as they are kept."""
    return part_of(results / "learning_rates" / "scores.md", "The held-out set")


def norms(heading: str, results: Path) -> str:
    """A part of the table of all norms, by its heading."""
    return part_of(results / "norms" / "laptop" / "norms.md", heading)
