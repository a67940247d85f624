"""The README and the docs are tests: their Python runs, and prints what they say it prints."""

import re
import runpy
from pathlib import Path

import pytest
import warm

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```(python|text)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?!https?:|#)([^)#]+)")


def snippets(page: Path) -> tuple[str, str]:
    """A page's Python, block after block, and the text that it says comes out."""
    blocks = BLOCK.findall(page.read_text())
    return tuple("".join(text for kind, text in blocks if kind == wanted) for wanted in ("python", "text"))


@pytest.mark.parametrize("page", [page for page in PAGES if snippets(page)[0]], ids=lambda p: p.name)
def test_snippets_print_what_they_say(page: Path, tmp_path: Path) -> None:
    """What a page says comes out is what its Python prints, in an empty folder, warnings being errors."""
    code, expected = snippets(page)
    script = tmp_path / "script.py"
    script.write_text(code)
    done = warm.run(["-W", "error", script], cwd=tmp_path, timeout=600)
    assert done.returncode == 0, done.stderr
    assert done.stdout == expected


def test_the_readme_opens_with_under_fifteen_lines() -> None:
    """What has to be read before trying."""
    first = next(text for kind, text in BLOCK.findall((ROOT / "README.md").read_text()) if kind == "python")
    assert len([line for line in first.splitlines() if line.strip()]) < 15


@pytest.mark.parametrize("page", [*PAGES, ROOT / "CONTRIBUTING.md"], ids=lambda p: p.name)
def test_links_lead_somewhere(page: Path) -> None:
    """Every relative link and image is a file of the repository."""
    for link in LINK.findall(page.read_text()):
        assert (page.parent / link).exists(), f"{page.name} links to {link}"


def test_tables_say_what_results_and_probes_say() -> None:
    """They are made from `results/` and the probes; were one typed or stale, filling it again would change the page."""
    fill = runpy.run_path(str(ROOT / "docs" / "fill.py"))
    for path in fill["PAGES"]:
        assert fill["filled"](path.read_text()) == path.read_text(), "run: python docs/fill.py"
    page = (ROOT / "docs" / "paper.md").read_text()
    assert {match[1] for match in fill["TABLE"].finditer(page)} == {f"C{n}" for n in range(1, 13)} | {
        "F1",
        "F2",
        "D1",
        "D2",
        "D3",
    }


BENCHMARKS = [path for path in sorted((ROOT / "benchmarks").glob("*.py")) if "def main" in path.read_text()]
SHORTER = {
    "budget.py": ["--steps", "25"],
    "curvature.py": ["--only", "product"],
    "overhead.py": ["--only", "headroom"],
    "throughput.py": ["--runs", "2", "--without-ray"],
}


@pytest.mark.long
@pytest.mark.parametrize("benchmark", BENCHMARKS, ids=lambda p: p.name)
def test_benchmarks_run(benchmark: Path, tmp_path: Path) -> None:
    """Each runs to its end and prints its table; the figures of a loaded machine say nothing."""
    words = ["-W", "error", benchmark, "--repeats", "1", *SHORTER.get(benchmark.name, ())]
    done = warm.run(words, cwd=tmp_path, timeout=600)
    assert done.returncode == 0, done.stderr
    assert "n = 1" in done.stdout
