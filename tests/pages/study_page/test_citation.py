"""Citations: entries that BibTeX can read, which say what the paper's module and CITATION.cff say."""

import re
from pathlib import Path

import pytest

from clinometer.pages.study_page.citation import citations
from clinometer.papers import OWN_STUDIES, find_papers, load_paper, load_study

PAPERS = [name for name in find_papers() if name not in OWN_STUDIES and name.isidentifier()]
CFF = (Path(__file__).parents[3] / "CITATION.cff").read_text()


def fields(entry: str) -> dict[str, str]:
    """An entry's fields, by the grammar of BibTeX with braces; it must be balanced."""
    assert entry.count("{") == entry.count("}")
    head = re.match(r"@(\w+)\{(\w+),\n", entry)
    assert head
    assert entry.endswith("\n}")
    return dict(re.findall(r"^  (\w+) += \{(.*)\},$", entry, re.MULTILINE)) | {"key": head[2]}


@pytest.mark.parametrize("name", PAPERS)
def test_an_entry_says_what_the_module_says(name: str) -> None:
    """Title, year and arXiv number are there twice, written by hand for two purposes: they must agree."""
    paper = load_paper(name)
    found = fields(load_study(name).citation)
    assert (found["key"], found["title"]) == (name, paper.TITLE)
    assert found["year"] in paper.SOURCE
    assert re.findall(r"arXiv:([\d.]+)", paper.SOURCE) == [found[key] for key in ("eprint",) if key in found]
    surnames = [author.partition(",")[0].rpartition(" ")[2] for author in found["author"].split(" and ")]
    assert all(surname in paper.SOURCE for surname in surnames)


def test_clinometer_is_cited_as_its_file_says() -> None:
    """CITATION.cff is what GitHub and Zenodo read."""
    found = fields(citations(""))
    for key, name in (("title", "title"), ("version", "version"), ("license", "license")):
        assert re.search(rf"^{name}: {re.escape(found[key])}$", CFF, re.MULTILINE), key
    assert f"name: {found['author'].strip('{}')}" in CFF
