"""Sources as links: what a text says of arXiv, DOIs and a few known hosts, and nothing else."""

import re

from markupsafe import Markup, escape

from clinometer.readable.text import plain

_HOSTS = ("arxiv.org", "doi.org", "openreview.net", "github.com")
_REFERENCE = re.compile(
    r"arXiv:\s?(?P<arxiv>\d{4}\.\d{4,5}(?:v\d+)?)(?!\d)"
    r"|(?:doi:\s?|\b)(?P<doi>10\.\d{4,9}/[\w.()/:;-]*[\w)/])"
    rf"|https://(?P<address>(?:{'|'.join(map(re.escape, _HOSTS))})/[\w./?=&#%+~-]*[\w/])",
    re.ASCII,
)


def linked(text: str) -> Markup:
    """A text as markup, in which arXiv numbers, DOIs and addresses at known hosts are links.

    Everything else is escaped, so that nobody's text leads anywhere else.

    Example:
        >>> linked("S. Santurkar & al., 2018, arXiv:1805.11604")
        Markup('S. Santurkar &amp; al., 2018, <a href="https://arxiv.org/abs/1805.11604">arXiv:1805.11604</a>')
        >>> linked("javascript:alert(1), https://evil.example/")
        Markup('javascript:alert(1), https://evil.example/')
    """
    text, end, found = plain(text), 0, Markup()
    for match in _REFERENCE.finditer(text):
        found += escape(text[end : match.start()])
        found += Markup('<a href="{}">{}</a>').format(_address(match), match[0])
        end = match.end()
    return found + escape(text[end:])


def _address(match: re.Match[str]) -> str:
    if match["arxiv"]:
        return f"https://arxiv.org/abs/{match['arxiv']}"
    return f"https://doi.org/{match['doi']}" if match["doi"] else f"https://{match['address']}"
