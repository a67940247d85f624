"""The command line: `clinometer watch`, `reproduce`, `report`, `check`, `list`.

Exit status: 0 when the work was done, whatever the claims say; 1 when a run failed or a theorem was not verified; 2 on
bad input.
"""

import contextlib
import os
import shlex
import sys
from collections.abc import Generator, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

_missing = [name for name in ("cyclopts", "rich", "scipy", "matplotlib") if find_spec(name) is None]
if _missing:  # said now, not after an hour of training
    sys.exit(f"the command line needs {', '.join(_missing)}: pip install 'clinometer[studies,report,data]'")

from cyclopts import App, CycloptsError, Parameter
from rich.console import Console
from rich.text import Text

from clinometer.papers import PAPERS
from clinometer.report.attached import report_run
from clinometer.report.blocks import ranks_table
from clinometer.report.reports import Results, arm_name, report, seeds_said
from clinometer.report.terminal import claims_table, progress, theorems_table
from clinometer.report.watch import watch
from clinometer.study.config import one_of
from clinometer.study.data import DATASETS
from clinometer.study.executors import Failure, run_all
from clinometer.study.study import claim_folder, plan, study_facts
from clinometer.study.theorem import check, rows, select

app = App(
    name="clinometer",
    help="How smooth the loss landscape is where a training run walks.",
    suppress_keyboard_interrupt=False,  # `main` says what an interruption costs: nothing that is done
)
console = Console(width=None if sys.stdout.isatty() else 120, soft_wrap=False)


@app.command
def reproduce(
    paper: str,
    /,
    *,
    scale: str = "smoke",
    only: str = "",
    seeds: int | None = None,
    jobs: int | None = None,
    to: Path | None = None,
    data: Path | None = None,
    device: str = "cpu",
) -> int:
    """Run what is missing of a paper, then decide its claims, check its theorems, draw its figures and write its page.

    Parameters
    ----------
    paper
        Its name; see `clinometer list`.
    scale
        smoke, laptop or paper.
    only
        Figures, claims or theorems, separated by commas; all by default. Theorems need no run.
    seeds
        Seeds per arm; the scale's own number by default.
    jobs
        Runs at a time, a process each; one per core by default.
    to
        The folder for results; runs/PAPER-SCALE by default.
    data
        The folder of CIFAR-10's Parquet files; the environment variable CLINOMETER_DATA by default.
    device
        Where to train: cpu, cuda, cuda:1, ...
    """
    with _bad_input():
        study = PAPERS[one_of("paper", paper, PAPERS)]()
        planned = plan(study, scale, _names(only), seeds)
        if jobs is not None and jobs < 1:
            raise ValueError(f"--jobs must be at least 1; found {jobs}.")
        _check_device(device)
        if data is not None:
            os.environ["CLINOMETER_DATA"] = str(data)
        for name in planned.used:
            if planned.bases[name].data in DATASETS:  # the others are drawn from a seed
                DATASETS[planned.bases[name].data]()  # read, checked and cached once, before any process needs it
        folder = to or Path("runs") / f"{paper}-{scale}"
        command = _command(paper, scale, only, seeds, to)
        claim_folder(folder, planned, {"only": only, "seeds": seeds, "command": command})
    console.print(f"[bold]{study.title}[/]\n{study.source}", highlight=False)
    failures: list[Failure] = []
    if planned.configs:
        console.print(f"Scale {scale}: {study.scales[scale].about}; {seeds_said(planned)}", highlight=False)
        with progress(console) as show:
            failures = run_all(planned.configs, folder, jobs=jobs, device=device, report=show)
    results = report(planned, folder, command, failures)
    _show(results)
    for failure in failures:
        name = f"{arm_name(failure.config, planned)}, seed {failure.config.seed}"
        log = f" (see {failure.log})" if failure.log.is_file() else ""
        console.print(Text.assemble(("failed: ", "red"), f"{name}: {failure.reason}{log}"))
    _say_where(folder)
    return 1 if failures or not _verified(results.theorems) else 0


@app.command(name="report")
def report_(folder: Path, /) -> int:
    """Decide, draw and write again from what a study's folder holds, or a recorder's; nothing is trained.

    Parameters
    ----------
    folder
        The study's folder, or one that a Recorder writes to: then blocks are ranked.
    """
    if (folder / "rows.sqlite").is_file():
        with _bad_input():
            for probe, ranks in report_run(folder).items():
                console.print(ranks_table(probe, ranks))
        _say_where(folder)
        return 0
    with _bad_input():
        facts = study_facts(folder)
        study = PAPERS[one_of("paper", str(facts.get("study")), PAPERS)]()
        planned = plan(study, str(facts.get("scale")), _names(facts.get("only", "")), facts.get("seeds"))
        claim_folder(folder, planned, facts)
    results = report(planned, folder, facts.get("command", "unknown"))
    _show(results)
    _say_where(folder)
    return 0 if _verified(results.theorems) else 1


@app.command(name="check")
def check_(paper: str, /, *, only: str = "", cases: int = 200, seed: int = 0) -> int:
    """Verify the theorems of a paper on random inputs, and show where the print, or a dropped hypothesis, is false.

    Parameters
    ----------
    paper
        Its name; see `clinometer list`.
    only
        Theorems, separated by commas; all by default.
    cases
        Inputs for each statement.
    seed
        Of the inputs.
    """
    with _bad_input():
        study = PAPERS[one_of("paper", paper, PAPERS)]()
        names = select(study.theorems, _names(only))
        found = rows({name: check(study.theorems[name], cases, seed) for name in names})
    console.print(f"[bold]{study.title}[/]\n{study.source}", highlight=False)
    console.print(theorems_table(found))
    return 0 if _verified(found) else 1


@app.command(name="watch")
def watch_(path: Path, /, *, every: float = 2.0, once: bool = False) -> int:
    """Follow a run that records, from another terminal; it is only read. Ctrl-C ends the watching.

    Parameters
    ----------
    path
        The recorder's folder, or its rows.sqlite; where there is none yet, it is waited for.
    every
        Seconds between looks.
    once
        Show what there is, and end.
    """
    with _bad_input(), contextlib.suppress(KeyboardInterrupt):
        watch(path, console, every=every, once=once)
    return 0


@app.command(name="list")
def list_() -> int:
    """The papers, with their scales, figures, claims and theorems."""
    for name, load in PAPERS.items():
        study = load()
        console.print(f"[bold]{name}[/]: {study.title}", highlight=False)
        for scale, about in study.scales.items():
            console.print(f"  --scale {scale}: {about.about}", highlight=False)
        for exhibit, figure in study.exhibits.items():
            console.print(f"  {exhibit}: {figure.title}", highlight=False)
        for claim in study.claims:
            console.print(f"  {claim.id}: {claim.statement} ({claim.source})", highlight=False)
        for theorem, about in study.theorems.items():
            console.print(f"  {theorem}: {about.title} ({about.source})", highlight=False)
    return 0


def main(words: Annotated[Sequence[str] | None, Parameter(parse=False)] = None) -> None:
    """Run a command and exit with its status."""
    try:
        status = app(list(sys.argv[1:] if words is None else words), exit_on_error=False, result_action="return_value")
    except CycloptsError:
        sys.exit(2)  # cyclopts has said what was wrong
    except KeyboardInterrupt:
        console.print("Interrupted. What is done is kept; the same command goes on from there.")
        sys.exit(130)
    sys.exit(status if isinstance(status, int) else 0)


@contextlib.contextmanager
def _bad_input() -> Generator[None]:
    """What is wrong with the input is said before any work is spent, in one line and without a traceback."""
    try:
        yield
    except (ValueError, OSError) as error:
        Console(stderr=True, soft_wrap=True).print(Text.assemble(("error: ", "red"), str(error)))
        sys.exit(2)


def _names(only: str) -> list[str]:
    return [name.strip() for name in only.split(",") if name.strip()]


def _show(results: Results) -> None:
    if results.claims:
        console.print(claims_table(results.claims))
    if results.theorems:
        console.print(theorems_table(results.theorems))


def _verified(theorems: Sequence[Mapping[str, Any]]) -> bool:
    return all(row["verdict"] == "verified" for row in theorems)


def _say_where(folder: Path) -> None:
    # Without markup: a folder may be named [x].
    console.print(
        f"The report, with every figure: {folder / 'report.html'}", highlight=False, soft_wrap=True, markup=False
    )


def _check_device(device: str) -> None:
    import torch

    try:
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise ValueError(f"--device {device} cannot be used: {str(error).splitlines()[0]}") from error


def _command(paper: str, scale: str, only: str, seeds: int | None, to: Path | None) -> str:
    words = ["clinometer", "reproduce", paper, "--scale", scale]
    given = {"--only": only, "--seeds": seeds, "--to": to}
    words += [str(word) for name, value in given.items() if value for word in (name, value)]
    return shlex.join(words)


if __name__ == "__main__":
    main()
