"""Sources as links: only to known hosts, and never at the price of a letter of the text."""

import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinometer.pages.study_page.sources import linked
from clinometer.papers import find_papers, load_paper
from clinometer.readable.text import plain

KNOWN = re.compile(r"https://(arxiv\.org|doi\.org|openreview\.net|github\.com)/[!-~]+")
PIECES = [
    "arXiv:1805.11604v3",
    "10.1000/x(1)",
    "https://github.com/a/b",
    "https://evil.example/x",
    "javascript:alert(1)",
]
PIECES += [
    '"><script>',
    "' onclick=x",
    "https://github.com.evil/x",
    "https://github.com@evil/x",
    " ",
    ".",
    ",",
    "\u202e",
]


class Reader(HTMLParser):
    """What a browser would show and where its links would lead."""

    def __init__(self) -> None:
        super().__init__()
        self.text, self.links, self.tags = "", [], set[str]()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        assert [name for name, _ in attrs] == ["href"]
        self.links.append(attrs[0][1] or "")

    def handle_data(self, data: str) -> None:
        self.text += data


def read(text: str) -> Reader:
    reader = Reader()
    reader.feed(str(linked(text)))
    reader.close()
    return reader


@given(st.lists(st.sampled_from(PIECES) | st.text(max_size=8), max_size=8).map("".join))
def test_no_text_leads_anywhere_else(text: str) -> None:
    """Python's parser of HTML is the truth: the letters of the text are all there, and links lead to four hosts."""
    found = read(text)
    assert found.text == plain(text)
    assert found.tags <= {"a"}
    assert all(KNOWN.fullmatch(link) for link in found.links)


@pytest.mark.parametrize(
    ("text", "links"),
    [
        ("see arXiv:1805.11604, v3", ["https://arxiv.org/abs/1805.11604"]),
        ("doi:10.1145/3372297.3417254.", ["https://doi.org/10.1145/3372297.3417254"]),
        ("(https://openreview.net/forum?id=SJxSOJStPr)", ["https://openreview.net/forum?id=SJxSOJStPr"]),
        ("arXiv:1805.116041, 110.5/7, http://github.com/a", []),
    ],
)
def test_what_is_a_link(text: str, links: list[str]) -> None:
    """References as arXiv, DOI and OpenReview print them; the last line has three that look like some and are none."""
    assert read(text).links == links


def test_every_paper_that_has_a_number_is_linked() -> None:
    """The papers' own sources: whichever says arXiv is linked there."""
    for name in find_papers():
        source = load_paper(name).SOURCE
        assert len(read(source).links) == source.count("arXiv:")
