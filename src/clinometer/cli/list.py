"""`clinometer list`."""

from rich.text import Text

from clinometer.cli.console import console
from clinometer.papers import find_papers, load_paper


def list_command() -> int:
    """Print each paper's title and what can be reproduced of it."""
    for name in find_papers():
        try:
            paper = load_paper(name)
            study = paper.study()
        except (Exception, SystemExit) as error:  # a package that is broken must not hide the other papers
            console.print(Text.assemble((name, "bold"), f": {error}"))
            continue
        console.print(Text.assemble((name, "bold"), f": {paper.TITLE} ({paper.SOURCE})"))
        for scale, about in study.scales.items():
            console.print(f"  --scale {scale}: {about.about}", highlight=False)
        for figure, spec in study.figures.items():
            console.print(f"  {figure}: {spec.title}", highlight=False)
        for claim in study.claims:
            console.print(f"  {claim.id}: {claim.statement} ({claim.source})", highlight=False)
        for theorem, about in study.theorems.items():
            console.print(f"  {theorem}: {about.title} ({about.source})", highlight=False)
    return 0
