"""Tables of all papers and studies: what holds in each, and what is kept of it."""

from pathlib import Path

from clinometer.papers import find_papers, load_paper, load_study
from generators.fates import by_claim, fate
from generators.kept import Rows, confirmed, line, only_measured, read_claims

DOCS = Path(__file__).parents[1]
PAGE_OF = {
    "santurkar2018": "paper",
    "norms": "norm_study",
    "learning_rates": "learning_rate",
}  # a paper's page, if it is not called like it


def papers(pages: str, results: Path) -> str:
    """A line for each paper: what holds, what fails, and what is open or depends on the scale."""
    lines = [line("paper", "holds", "fails", "open"), line(*["---"] * 4)]
    return "\n".join([*lines, *(_paper(name, Path(pages), results) for name in built_in())])


def tally(pages: str, results: Path) -> str:
    """The same by the claims' numbers alone."""
    lines = [line("paper", "holds", "fails", "open"), line(*["---"] * 4)]
    return "\n".join([*lines, *(_paper(name, Path(pages), results, short=True) for name in built_in())])


def built_in() -> list[str]:
    """The papers and studies of this package, in their order."""
    return [name for name, module in find_papers().items() if module.startswith("clinometer.")]


def _paper(name: str, pages: Path, results: Path, *, short: bool = False) -> str:
    page = f"{PAGE_OF.get(name, name)}.md"
    title = load_paper(name).TITLE
    linked = f"[{title}]({pages / page})" if (DOCS / page).is_file() else title
    return line(f"{linked} (`{name}`)", *_fates(read_claims(results / name), short))


def kept(_: str, results: Path) -> str:
    """A line for each study and scale whose claims are kept."""
    lines = [line("study", "scale", "what was made"), line(*["---"] * 3)]
    for name in built_in():
        scales, found = load_study(name).scales, read_claims(results / name)
        lines += [line(f"[{name}]({name}/{scale})", scale, scales[scale].about) for scale in found]
    return "\n".join(lines)


def _fates(found: Rows, short: bool) -> tuple[str, str, str]:
    """The claims that hold, that fail, and the others: by confirmatory seeds, or else by those that were explored.

    Decisions of ours (D1, D2 ...), where a text is silent, are told on the paper's page alone.
    """
    if not found:
        return ("not run yet",) * 3
    sure = by_claim(confirmed(found))
    told: dict[str, list[str]] = {"Holds": [], "Fails": [], "Open": []}
    statements = {claim: row["statement"] for rows in found.values() for claim, row in rows.items()}
    for claim, verdicts in by_claim(only_measured(found)).items():
        if claim.startswith("D"):
            continue
        became, where = fate(sure.get(claim, verdicts))
        where += "" if claim in sure else "; exploratory"
        text = claim if short else f"**{claim}** {statements[claim]} ({where})"
        told[became if became in told else "Open"].append(text)
    between = ", " if short else "<br>"
    holds, fails, others = (between.join(claims).replace("|", "\\|") or "–" for claims in told.values())
    return holds, fails, others
