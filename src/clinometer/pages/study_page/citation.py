"""How to cite a study's paper, and clinometer: entries of BibTeX."""

from importlib.metadata import version

_CLINOMETER = """@software{{clinometer,
  title   = {{clinometer}},
  author  = {{{{The clinometer maintainers}}}},
  version = {{{version}}},
  license = {{MIT}},
}}"""


def citations(paper: str) -> str:
    """The entries to cite: that of the paper if it has one, and clinometer's, as in CITATION.cff.

    Args:
        paper: The paper's own entry, its module's `CITATION`; empty without.

    Example:
        >>> print(citations("@article{mine, year = {2018}}").partition("version")[0])
        @article{mine, year = {2018}}
        <BLANKLINE>
        @software{clinometer,
          title   = {clinometer},
          author  = {{The clinometer maintainers}},
        <BLANKLINE>
    """
    return "\n\n".join(filter(None, (paper.strip(), _CLINOMETER.format(version=version("clinometer")))))
