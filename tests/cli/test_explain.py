"""`clinometer explain`: every probe, field, alarm and claim leads to what the code declares and the docs say of it."""

import json
import sys
import types
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest

from clinometer.cli import main
from clinometer.cli.pages import pages
from clinometer.cli.topics import Topics
from clinometer.papers import load_study
from clinometer.probes.registry import PROBES
from clinometer.recorder.alerts.advice import advice_on

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="module")
def topics() -> Topics:
    return Topics()


def test_every_probe_and_every_field_has_a_page(topics: Topics) -> None:
    """Page and field are found apart from each other: what fills the docs' tables marks the page of each probe."""
    for probe, fields in topics.fields.items():
        assert f"<!-- fields {probe} -->" in topics.pages[str(topics.find(probe).page)].read_text()
        for field, declared in fields.items():
            found = topics.find(f"{probe}.{field}")
            assert found.facts[f"{probe}.{field}"]["meaning"] == declared.meaning
            assert found.text
    assert topics.fields.keys() == PROBES.keys()


def test_a_label_and_an_alarm_lead_to_the_field(topics: Topics) -> None:
    """β is a label; an alarm says its quantity and where it went, and its advice is that of the alarm."""
    assert [*topics.find("β").facts] == ["landscape.beta"] == [*topics.find("beta").facts][:1]
    assert topics.find("beta").page == "landscape"
    found = topics.find("step_norms/update_ratio rises").facts["step_norms.update_ratio"]
    assert found["if it rises"] == advice_on("step_norms/update_ratio", "rises")[1]


def test_a_page_is_found_by_the_singular_of_its_name(topics: Topics) -> None:
    """Who has an alert asks for that word; the page is on all of them."""
    assert topics.find("alert").page == topics.find("alerts").page == "alerts"


def test_a_claim_is_told_with_its_rule_and_its_section(topics: Topics) -> None:
    """Against the paper's own claims; a claim's section has its number and none of the next."""
    for claim in load_study("santurkar2018").claims:
        found = topics.find("santurkar2018", claim.id)
        assert (found.facts["statement"], found.facts["rule"]) == (claim.statement, claim.rule)
        assert claim.id in found.text.partition("\n")[0]
    assert topics.find("santurkar2018", "theorem_4_1").kind == "theorem"
    with pytest.raises(ValueError, match="Did you mean 'figure_04'"):
        topics.find("santurkar2018", "figure_4")
    assert topics.find("C1").name == "santurkar2018 C1", "no other study has a C1"
    with pytest.raises(ValueError, match=r"G1 is a claim of \d studies: `clinometer explain \w+ G1` or `clinometer"):
        topics.find("G1")


def test_what_is_unknown_is_said_with_what_is_near(capsys: pytest.CaptureFixture[str]) -> None:
    """Status 2, in one line."""
    with pytest.raises(SystemExit, match="2"):
        main(["explain", "betta"])
    assert "Did you mean 'beta'" in capsys.readouterr().err


def test_a_page_is_readable_in_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """Of every page: no mark of the program that fills tables, no HTML, no path of a picture, in 120 columns."""
    for name in ("landscape", "alerts", "paper", "symptoms/loss_spikes"):
        with pytest.raises(SystemExit, match="0"):
            main(["explain", name])
        said = capsys.readouterr().out
        assert len(said) > 1000
        assert not [mark for mark in ("<!--", "-->", ".png", "](", ":::") if mark in said]
        assert max(map(len, said.splitlines())) <= 120


def test_without_a_name_all_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    """Every probe, paper and page of the first level, which anybody could look for."""
    with pytest.raises(SystemExit, match="0"):
        main(["explain", "--json"])
    groups: dict[str, Any] = json.loads(capsys.readouterr().out)["topics"]
    assert groups["Probes and their fields"].keys() == PROBES.keys()
    assert groups["Pages"].keys() == {name for name in pages() if "/" not in name}


def test_pages_and_kept_verdicts_are_in_the_wheel(monkeypatch: pytest.MonkeyPatch) -> None:
    """The build's hook, with its base class stood in for: each lies where an installed package looks for it."""
    interface = types.ModuleType("hatchling.builders.hooks.plugin.interface")
    interface.BuildHookInterface = type("BuildHookInterface", (), {"__class_getitem__": lambda *_: object})  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, interface.__name__, interface)
    spec = spec_from_file_location("hatch_build", ROOT / "hatch_build.py")
    assert spec
    assert spec.loader
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    hook = module.Pages()
    hook.root = str(ROOT)
    data: dict[str, Any] = {"force_include": {}}
    hook.initialize("standard", data)
    expected = {str(page): f"clinometer/docs/{name}.md" for name, page in pages().items()}
    kept = ROOT / "results"
    for file in (*kept.glob("*/*/claims.json"), *kept.glob("*/*/made_with.json")):
        expected[str(file)] = f"clinometer/kept/{file.relative_to(kept)}"
    assert str(kept / "santurkar2018" / "smoke" / "claims.json") in expected
    assert data["force_include"] == expected
    data = {"force_include": {}}
    hook.initialize("editable", data)
    assert data == {"force_include": {}}
