"""What is written for TeX: nothing in it can steer an engine, and nothing is lost.

There may be no engine here, so the grammar is checked: what TeX gives a meaning to is only where we put it.
"""

import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from stored import STUDY

from clinometer.cli import main
from clinometer.pages.tex.claims import claims_table
from clinometer.pages.tex.escape import tex
from clinometer.pages.tex.figures import figure_list, write_tex
from clinometer.plots.layout import Width
from clinometer.store import Store
from clinometer.studies.figure import Figure, Panel, Series
from clinometer.studies.plan import plan
from clinometer.studies.study_folder import open_study_folder

ESCAPED = re.compile(r"\\(?:[A-Za-z]+|[{}$&%#_^~='`\".])")
HOSTILE = "\\input{/etc/passwd} ^^41 $x_1$ % & # ~ {}} \\end{document} \x1b[2J ŷ L̂ 10⁻³ ‖g‖ 中 😀 -- '' \n\n"
PART = {"name": HOSTILE, "verdict": "holds", "value": 2.0, "low": None, "high": 2.5, "n": 3, "looks": [3]}
PART |= {"unit": "", "bounds": [None, 1.0]}
CLAIM = {"id": HOSTILE, "statement": HOSTILE, "verdict": "holds", "parts": [PART]}
ENGINE = next(filter(None, map(shutil.which, ("pdflatex", "lualatex", "xelatex", "tectonic"))), None)


def assert_inert(written: str) -> None:
    """ASCII, balanced groups, and none of TeX's characters but in a command or a group of ours."""
    assert written.isascii()
    bare = ESCAPED.sub("", written)
    assert not set("\\$&%#_^~\x00\x1b\n") & set(bare)
    depth = 0
    for character in bare:
        depth += (character == "{") - (character == "}")
        assert depth >= 0
    assert depth == 0


@given(st.text())
def test_no_text_can_steer_tex(text: str) -> None:
    """By TeX's grammar: only its ten special characters act, and each is a command that prints it."""
    assert_inert(tex(text))


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=40))
def test_ascii_is_printed_as_it_is(text: str) -> None:
    """By undoing, command by command, what the LaTeX manual says that each prints."""
    prints = {"textbackslash": "\\", "textasciicircum": "^", "textasciitilde": "~", "textless": "<", "textgreater": ">"}
    prints |= {"textbar": "|", "textquotedbl": '"', "textasciigrave": "`"}
    found = re.sub(r"\\([A-Za-z]+)\{\}|\\([{}$&%#_])|\{\}", lambda m: prints[m[1]] if m[1] else m[2] or "", tex(text))
    assert found == text


def test_letters_beyond_ascii_are_written_by_name() -> None:
    """By hand, after the LaTeX manual; what has no name is told by its code point, never left out or changed."""
    assert tex("é L̂ ŷ") == r"{\'{e}} {\^{L}} {\^{y}}"
    assert tex("η ≠ Σ²") == r"\ensuremath{\eta} \ensuremath{\neq} \ensuremath{\Sigma}\textsuperscript{2}"
    assert tex("≮ 😀") == "[U+226E] [U+1F600]"
    assert tex("a--b") == "a-{}-b"


def test_a_hostile_claim_stays_in_its_cell() -> None:
    """By counting: a claim is a line of five cells between the rules, whatever it is called."""
    written = claims_table([CLAIM, CLAIM], HOSTILE, "two")
    body = written.split("\\midrule\n")[1].split("\\bottomrule")[0].splitlines()
    assert len(body) == 2
    for line in body:
        cells = line.removesuffix(r" \\").split(" & ")
        assert len(cells) == 5
        for cell in cells:
            assert_inert(cell)
    assert written.count(r"\end{") == 2


def test_a_claim_without_parts_has_a_line() -> None:
    """A claim whose runs are missing has nothing to tell but its verdict."""
    written = claims_table([CLAIM | {"id": "C1", "statement": "x", "parts": [], "verdict": "undecided"}], "", "one")
    assert r"C1 & x & undecided & -- & -- \\" in written


@pytest.mark.parametrize(("width", "inches"), [("one", 3.35), ("two", 6.9)])
def test_figures_are_as_wide_as_the_column(width: Width, inches: float, tmp_path: Path) -> None:
    """The PDF's own MediaBox, in points of 1/72 inch, says how wide it is; it is the same file each time."""
    line = Series("mine", 0, np.arange(5), np.arange(5.0))
    figures = {"a b": Figure(HOSTILE, HOSTILE, (Panel("panel", "x", "y", (line,)),))}
    files = write_tex(tmp_path / "tex", [CLAIM], figures, "by hand", width)
    assert [file.name for file in files] == ["claims.pdf", "a-b.pdf", "claims.tex", "figures.tex"]
    pages = [file.read_bytes() for file in files[:2]]
    for page in pages:
        box = re.search(rb"/MediaBox \[ ?0 0 ([\d.]+) ", page)
        assert box
        assert float(box[1]) == pytest.approx(72 * inches, abs=0.01)
    write_tex(tmp_path / "tex", [CLAIM], figures, "by hand", width)
    assert [file.read_bytes() for file in files[:2]] == pages
    caption = re.search(r"\\caption\{(.*)\}\n\\label\{fig:a-b\}", figure_list(figures, "", width))
    assert caption
    assert_inert(caption[1])


def call(*words: object) -> int:
    with pytest.raises(SystemExit) as ended:
        main([str(word) for word in words])
    assert isinstance(ended.value.code, int)
    return ended.value.code


def test_the_command_writes_what_a_paper_needs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """By reading the folder: a file for each figure of the study, and each of its claims once in the table."""
    folder = tmp_path / "study"
    only = ["figure_01", "figure_07"]  # the second is a diagram, and needs no run
    planned = plan(STUDY, "smoke", only)
    open_study_folder(folder, planned, {"only": ",".join(only)})
    assert call("report", folder, "--tex", "--width", "two") == 0
    assert {"figure_07.pdf", "claims.tex", "figures.tex"} <= {file.name for file in (folder / "tex").iterdir()}
    written = (folder / "tex" / "claims.tex").read_text()
    assert [written.count(f"\n{claim.id} & ") for claim in planned.claims] == [1] * len(planned.claims)
    assert "claims.tex" in capsys.readouterr().out


def test_a_recorders_folder_has_no_claims_to_write(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Refused before its page is written, with what draws a run for print."""
    store = Store(tmp_path / "rows.sqlite")
    store.append(0, {"train": {"loss": 1.0}})
    store.close()
    before = sorted(file.name for file in tmp_path.iterdir())
    assert call("report", tmp_path, "--tex") == 2
    assert "savefig" in capsys.readouterr().err
    assert sorted(file.name for file in tmp_path.iterdir()) == before


@pytest.mark.skipif(ENGINE is None, reason="no TeX engine is installed; the grammar is checked above")
def test_tex_compiles_it(tmp_path: Path) -> None:
    """TeX itself, on the most hostile names."""
    line = Series("mine", 0, np.arange(5), np.arange(5.0))
    write_tex(tmp_path, [CLAIM], {"f": Figure(HOSTILE, HOSTILE, (Panel("p", "x", "y", (line,)),))}, HOSTILE, "one")
    used = r"\documentclass{article}\usepackage{booktabs,graphicx}"
    main = used + r"\begin{document}\input{claims}\input{figures}\end{document}"
    (tmp_path / "main.tex").write_text(main)
    done = subprocess.run(
        [str(ENGINE), "-interaction=nonstopmode", "-halt-on-error", "main.tex"],
        cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:]
