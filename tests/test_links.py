"""Links of every Markdown file of the repository; `make docs` checks those of the site by itself, too."""

import re
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import urlsplit

import hooks
import pytest
from markdown.extensions.toc import slugify, slugify_unicode

ROOT = Path(__file__).parent.parent
FOLDERS = ("docs", "examples", "results", "src")
PAGES = sorted([*ROOT.glob("*.md"), *(page for folder in FOLDERS for page in (ROOT / folder).rglob("*.md"))])
CODE = re.compile(r"^```.*?^```$|`[^`\n]+`", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)]*)\)")


def links(text: str) -> list[str]:
    """Where the links and images of a page lead."""
    return LINK.findall(CODE.sub("code", text))


@cache
def anchors(page: Path) -> set[str]:
    """What can be linked to on a page: its headings, as sites and forges spell them, and entries of the reference."""
    text = page.read_text()
    headings = [line.strip("# `").replace("`", "") for line in text.splitlines() if line.startswith("#")]
    spelled = {spell(heading, "-") for heading in headings for spell in (slugify, slugify_unicode)}
    return spelled | set(re.findall(r"^::: (\S+)$", text, re.MULTILINE))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    """Against the files and headings that there are: a relative link is a file of the repository and a heading in it;
    an external one is an address in syntax, which is all that can be known without a network."""
    for link in links(page.read_text()):
        parts = urlsplit(link)
        if parts.scheme:
            assert re.fullmatch(r"https?://[\w.-]+\.[a-z]+(?:[/?#]\S*)?", link), f"{link} is no address"
            continue
        target = page.parent / parts.path if parts.path else page
        assert target.exists(), f"{page.name} links to {link}, and there is no such file"
        if parts.fragment and target.suffix == ".md":
            assert parts.fragment in anchors(target), f"{page.name} links to {link}, and there is no such heading"


@pytest.mark.parametrize(("page", "up"), [("paper.md", ""), ("symptoms/loss_spikes.md", "../")])
def test_pages_show_figures_that_results_keeps(page: str, up: str) -> None:
    """By hand: what stands beside `docs/` in the repository stands inside of the site, and other links stay."""
    text = f"![f](../{up}results/a/b.png) [t](../{up}results/x.md) [p](own_paper.md)"
    shown = f"![f]({up}results/a/b.png) [t](../{up}results/x.md) [p](own_paper.md)"
    found = SimpleNamespace(file=SimpleNamespace(src_uri=page))
    assert hooks.on_page_markdown(text, page=found) == shown
