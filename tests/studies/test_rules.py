"""Rules that are fixed before the data."""

import dataclasses
import hashlib
import json

import pytest

from clinometer.studies import rules
from clinometer.studies.claims import Claim, Evidence
from clinometer.studies.comparison import above
from clinometer.studies.rules import digest_of

CLAIM = Claim(
    "C1",
    "it is larger",
    "§1",
    "above 0.5 seed by seed",
    (),
    lambda *_: Evidence((above("gap", [1.0]),)),
    {"bound": 0.5},
)


def test_the_digest_is_of_what_decides_and_of_nothing_else() -> None:
    """hashlib of the same facts, spelled out here. Source, figures, id and the order of names change nothing."""
    text = '{"bounds": {"bound": 0.5}, "rule": "above 0.5 seed by seed", "statement": "it is larger", "statistic": "1"}'
    assert json.loads(text)["statistic"] == rules.STATISTIC_VERSION
    assert digest_of(CLAIM) == hashlib.sha256(text.encode()).hexdigest()
    same = (
        {"source": "§2"},
        {"figures": ("figure_04",)},
        {"id": "C2"},
        {"bounds": {"bound": 0.50}},
    )
    for change in same:
        assert digest_of(dataclasses.replace(CLAIM, **change)) == digest_of(CLAIM)
    two = dataclasses.replace(CLAIM, bounds={"low": 1, "high": 2})
    assert digest_of(two) == digest_of(dataclasses.replace(CLAIM, bounds={"high": 2.0, "low": 1.0}))


@pytest.mark.parametrize("change", [{"statement": "x"}, {"rule": "x"}, {"bounds": {"bound": 0.4}}, {"bounds": {}}])
def test_a_change_of_what_decides_changes_the_digest(change: dict[str, object]) -> None:
    """Each of them would let a claim be decided otherwise after the data."""
    assert digest_of(dataclasses.replace(CLAIM, **change)) != digest_of(CLAIM)


def test_another_statistic_is_another_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same words judged by another method are not the rule that was recorded."""
    before = digest_of(CLAIM)
    monkeypatch.setattr(rules, "STATISTIC_VERSION", "another")
    assert digest_of(CLAIM) != before
