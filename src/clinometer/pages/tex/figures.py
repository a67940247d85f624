"""The figures of a study as PDF at the width of a column, and the list that puts them on pages."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from clinometer.pages.tex.claims import claims_table
from clinometer.pages.tex.escape import tex
from clinometer.plots.forest import forest_figure
from clinometer.plots.layout import Width
from clinometer.plots.matplotlib import save_pdf
from clinometer.studies.figure import Figure
from clinometer.training.files import write_whole

_HEAD = r"""% Needs \usepackage{{graphicx}}. {made}
% Each file is as wide as its column, and its letters are of 7 to 8 points: leave its size as it is.
% Where the document is in another folder: \newcommand{{\clinometerfigures}}{{path/to/tex/}} before this file.
\providecommand{{\clinometerfigures}}{{}}
"""
_FIGURE = r"""
\begin{{figure{star}}}
\centering
\includegraphics{{\clinometerfigures {name}.pdf}}
\caption{{{caption}}}
\label{{fig:{name}}}
\end{{figure{star}}}
"""


def write_tex(
    folder: Path, claims: Sequence[Mapping[str, Any]], figures: Mapping[str, Figure], made: str, width: Width
) -> list[Path]:
    """Write `claims.tex`, `figures.tex` and a PDF of each figure into a folder.

    Args:
        folder: Which is made.
        claims: Rows of `claims.json`, of which a figure is drawn, too.
        figures: By the names of their files.
        made: How the study was made, for a comment.
        width: Of the figures: "one" printed column, 3.35 inches, or "two", 6.9.

    Returns:
        What was written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    forest = forest_figure({"": claims}, deciding=True)
    figures = {"claims": forest, **figures} if forest.panels else figures
    written: list[Path] = []
    for name, figure in figures.items():
        written.append(folder / f"{file_name(name)}.pdf")
        save_pdf(figure, written[-1], width)
    texts = {"claims.tex": claims_table(claims, made, width), "figures.tex": figure_list(figures, made, width)}
    for name, text in texts.items():
        written.append(folder / name)
        write_whole(written[-1], text)
    return written


def figure_list(figures: Mapping[str, Figure], made: str, width: Width) -> str:
    r"""A `figure` environment for each, with its caption and a label.

    Example:
        >>> print(figure_list({"figure_04": Figure("Sharp & flat", "100% of it.", ())}, "", "one").splitlines()[-4])
        \includegraphics{\clinometerfigures figure_04.pdf}
    """
    parts = [
        _FIGURE.format(
            name=file_name(name), caption=f"{tex(figure.title)}. {tex(figure.caption)}", star="*" * (width == "two")
        )
        for name, figure in figures.items()
    ]
    return _HEAD.format(made=tex(made)) + "".join(parts)


def file_name(name: str) -> str:
    """A figure's name in letters that file systems and TeX take as they are.

    Example:
        >>> file_name("figure_04"), file_name("a b/%$")
        ('figure_04', 'a-b---')
    """
    return re.sub(r"[^A-Za-z0-9_-]", "-", name)
