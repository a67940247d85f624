"""The table of claims of a study, for `booktabs`."""

from collections.abc import Mapping, Sequence
from typing import Any

from clinometer.pages.tex.escape import tex
from clinometer.plots.layout import Width
from clinometer.studies.claims_json import deciding_part
from clinometer.studies.effect_text import effect_text, name_text, seeds_text

_TABLE = r"""% Needs \usepackage{{booktabs}}, and \usepackage[T1]{{fontenc}} with pdfLaTeX. {made}
\begin{{table{star}}}
\centering
\footnotesize
\begin{{tabular}}{{@{{}}lp{{{statement}\linewidth}}lp{{{effect}\linewidth}}l@{{}}}}
\toprule
 & Claim & Verdict & Effect [interval] & Seeds \\
\midrule
{rows}
\bottomrule
\end{{tabular}}
\caption{{{caption}}}
\label{{tab:claims}}
\end{{table{star}}}
"""
_CAPTION = (
    "Each claim with its verdict, and of the part that tells best why: its effect with the interval over seeds, all "
    "looks at the data paid for, and the number of seeds."
)


def claims_table(rows: Sequence[Mapping[str, Any]], made: str, width: Width) -> str:
    r"""A table with a line for each claim: its id, what it states, the verdict, the effect, the seeds.

    Args:
        rows: Of `claims.json`.
        made: How the study was made, for a comment.
        width: Of the page: "one" column or "two".

    Example:
        >>> part = {"name": "gap", "verdict": "holds", "value": 2.0, "low": 1.5, "high": 2.5, "n": 3, "looks": [3]}
        >>> claim = {"id": "C_1", "statement": "50% & more", "verdict": "holds", "parts": [part | {"unit": "factor"}]}
        >>> r"C\_1 & 50\% \& more & holds & gap: a factor 2 [1.5, 2.5] & n = 3 \\" in claims_table([claim], "", "two")
        True
    """
    wide = width == "two"
    shares = {"statement": "0.4" if wide else "0.3", "effect": "0.32" if wide else "0.28"}
    lines = "\n".join(_line(row) for row in rows)
    comment = tex(made)
    return _TABLE.format(rows=lines, made=comment, caption=tex(_CAPTION), star="*" * wide, **shares)


def _line(row: Mapping[str, Any]) -> str:
    part = deciding_part(row) if row["parts"] else None
    effect = f"{name_text(part)}: {effect_text(part)}" if part else "–"
    cells = (row["id"], row["statement"], row["verdict"], effect, seeds_text(part) if part else "–")
    return " & ".join(tex(str(cell)) for cell in cells) + r" \\"
