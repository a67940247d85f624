"""Names that would do something if they were taken for more than text, in every place of a study's page."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hostile_names import HOSTILE, STEERING, Tags

from clinometer.pages.study_page.anchors import Anchors
from clinometer.pages.study_page.claims import shown_claims, tally_text
from clinometer.pages.study_page.page import StudyPage, write
from clinometer.pages.study_page.trained import TrainedArm
from clinometer.readable.text import plain
from clinometer.studies.figure import Figure, Panel, Series


def claim(name: str) -> dict[str, Any]:
    part = {"name": name, "verdict": name, "value": 1.0, "low": 0.5, "high": 2.0, "n": 3, "p": 0.5, "looks": [3]}
    part |= {"unit": name, "bounds": [0.0, None], "remark": name, "compared": {"value": 0.0, "low": None, "high": 1.0}}
    recorded = dict.fromkeys(("recorded", "statement", "rule", "statistic"), name) | {"bounds": {name: 0.5}}
    found = dict.fromkeys(("id", "verdict", "statement", "source", "rule", "note", "status_reason"), name)
    numbers = {"value": 1.0, "low": None, "high": 2.0, "n": 3, "bounds": {}, "seeds_needed": None}
    return found | numbers | {"status": "exploratory", "recorded_rules": [recorded], "parts": [part], "beside": [part]}


@pytest.mark.parametrize("name", HOSTILE, ids=range(len(HOSTILE)))
def test_a_study_s_page_shows_names_and_does_nothing(name: str, tmp_path: Path) -> None:
    """Read by Python's parser of HTML: no tag or attribute but ours, one script, links within the page or to hosts."""
    rows = [claim(name), claim(name) | {"id": f"{name}2", "status": "confirmatory", "verdict": "holds"}]
    theorem = dict.fromkeys(("id", "verdict", "title", "source", "hypothesis", "printed", "true", "cases"), name)
    line = Figure(name, name, (Panel(name, name, name, (Series(name, 0, np.arange(3), np.arange(3.0)),)),))
    page = StudyPage(
        *(name, name, name, name, name),
        claims=shown_claims(rows, {name: ["f"]}, Anchors([]), {name: name}),
        verdicts=tally_text(rows),
        status=name,
        figures={"f": line},
        read=name,
        remarks=[name],
        theorems=[theorem | {"breaks": [{"name": name, "false": 0.5, "error": 0.1}], "worst": 0.5}],
        arms=[TrainedArm(name, 1, 0, name)],
        finals={name: {name: name}},
        settings={name: {name: name}},
        environment={name: name},
    )
    text = write(page, tmp_path / "report.html").read_text(encoding="utf-8")
    tags = Tags()
    tags.feed(text)
    assert not STEERING.search(text)
    assert not tags.tags & {"img", "iframe", "object", "embed", "base", "form"}
    assert not [given for given in tags.attributes if given.startswith("on") or given in ("style", "src", "srcdoc")]
    assert all(link.startswith(("#", "https://")) for link in tags.attributes["href"])
    assert text.count("<script>") == 1
    assert "".join(tags.text).count(plain(name)) > 20
