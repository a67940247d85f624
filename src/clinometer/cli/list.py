"""`clinometer list`."""

from rich.text import Text

from clinometer.cli.console import console
from clinometer.papers import PAPERS


def list_command() -> int:
    """Print each paper's title and what can be reproduced of it."""
    for name, load in PAPERS.items():
        study = load()
        console.print(Text.assemble((name, "bold"), f": {study.title}"))
        for scale, about in study.scales.items():
            console.print(f"  --scale {scale}: {about.about}", highlight=False)
        for exhibit, figure in study.exhibits.items():
            console.print(f"  {exhibit}: {figure.title}", highlight=False)
        for claim in study.claims:
            console.print(f"  {claim.id}: {claim.statement} ({claim.source})", highlight=False)
        for theorem, about in study.theorems.items():
            console.print(f"  {theorem}: {about.title} ({about.source})", highlight=False)
    return 0
