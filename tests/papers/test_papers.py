"""What every paper here says of itself, whatever it is about."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from clinometer.papers import OWN_STUDIES, find_papers, load_paper, load_study, what_was_read

BUILT_IN = [name for name, module in find_papers().items() if module.startswith("clinometer.")]


@pytest.mark.parametrize("name", BUILT_IN)
def test_a_paper_and_its_study_have_one_title_and_one_source(name: str) -> None:
    """They are written in two places: on the module, for those who only list it, and in the study, for its page."""
    paper, study = load_paper(name), load_study(name)
    assert (study.name, study.title, study.source) == (name, paper.TITLE, paper.SOURCE)


@pytest.mark.parametrize("name", [name for name in BUILT_IN if name not in OWN_STUDIES])
def test_a_paper_says_what_was_read_of_it(name: str) -> None:
    """A reader must know whether the text or a summary of it was reproduced; its page and the list print the words."""
    read = what_was_read(load_paper(name))
    assert any(part in read for part in ("full text", "abstract", "code"))
    assert not read.endswith("."), "the page ends the sentence"
    assert "\n" not in read
    assert load_study(name).read == read


def test_an_installed_paper_may_leave_out_what_was_read() -> None:
    """Papers that were written before there was `READ` are reproduced as they were."""
    assert what_was_read(cast("Any", SimpleNamespace(TITLE="A", SOURCE="B"))) == ""
