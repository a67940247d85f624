"""Prints the results of a study: remarks, claims and theorems."""

from rich.text import Text

from clinometer.cli.console import console, print_remark
from clinometer.report.agreement import ANOTHER_DRAW, agreement_table
from clinometer.report.status import recorded_texts, status_line
from clinometer.report.study_page.report import Results
from clinometer.report.tables import claims_table, outcome_text, theorems_table


def print_results(results: Results) -> None:
    """Print the verdicts, what must be known of the runs that they rest on, and how they agree with those kept."""
    for remark in results.remarks:
        console.print(Text(remark, "yellow"), soft_wrap=True)
    if results.claims:
        console.print(claims_table(results.claims))
        print_remark(ANOTHER_DRAW)
        print_remark(outcome_text(results.claims))
        print_remark(status_line(results.claims))
        for row in results.claims:
            for remark in recorded_texts(row):
                console.print(Text(f"{row['id']} {remark}", "yellow"), soft_wrap=True)
    if results.theorems:
        console.print(theorems_table(results.theorems))
    if results.agreement and results.agreement.said:
        console.print(agreement_table(results.agreement))
    if results.agreement:
        print_remark(results.agreement.line)
