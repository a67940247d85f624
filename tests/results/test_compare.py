"""`compare`: what two studies have in common, told from studies whose differences were put there."""

import io
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console
from stored import keep

from clinometer.pages.comparison_table import comparison_parts
from clinometer.results.compare import compare
from clinometer.results.statistics import interval


def rows(beta: float, loss: float = 1.0, steps: int = 4) -> dict[int, dict[str, dict[str, Any]]]:
    return {s: {"landscape": {"beta": beta + s}, "train": {"loss": loss / (1 + s)}} for s in range(steps)}


def told(found: Any, one: Path, other: Path) -> str:
    file = io.StringIO()
    console = Console(width=120, file=file)
    for part in comparison_parts(found, one, other):
        console.print(part)
    return file.getvalue()


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Three seeds of three arms: the first arm is the same in both, the second has other β from step 2 on in all seeds
    but one, and the third is only in the first. The other study's code has one more field."""
    one, other = tmp_path_factory.mktemp("one"), tmp_path_factory.mktemp("other")
    for seed in range(3):
        for lr in (0.1, 0.2, 0.3):
            keep(one, {"lr": lr, "seed": seed}, rows(lr), environment={"packages": {"torch": "2.12"}, "python": "3.11"})
        for lr in (0.1, 0.2):
            changed = rows(lr)
            if lr == 0.2 and seed:
                changed[2]["landscape"]["beta"] += seed
            made = {"packages": {"torch": "2.13"}, "python": "3.11"}
            keep(other, {"lr": lr, "seed": seed, "momentum": 0.0}, changed, environment=made)
    for path, verdicts in ((one, {"C1": "holds", "C2": "fails"}), (other, {"C1": "holds", "[/red]": "undecided"})):
        (path / "claims.json").write_text(json.dumps([{"id": c, "verdict": v} for c, v in verdicts.items()]))
    return one, other


def test_what_is_the_same_and_where_the_rest_parts(two: tuple[Path, Path]) -> None:
    """By hand, from how they were made."""
    found = compare(*two)
    assert len(found.pairs) == 6
    assert found.alone == (3, 0)
    assert found.unshared == ("momentum",)
    assert [(pair.arm, pair.one.config["seed"], pair.parts_at) for pair in found.pairs] == [
        ("lr 0.1", 0, None),
        ("lr 0.1", 1, None),
        ("lr 0.1", 2, None),
        ("lr 0.2", 0, None),
        ("lr 0.2", 1, 2),
        ("lr 0.2", 2, 2),
    ]
    assert found.versions == {"torch": ("2.12", "2.13")}
    assert found.verdicts == {
        "C1": ("holds",) * 2,
        "C2": ("fails", "not decided"),
        "[/red]": ("not decided", "undecided"),
    }


def test_differences_are_paired_over_seeds(two: tuple[Path, Path]) -> None:
    """β rose by 0, 1 and 2 at one step of four: the interval is that of a quarter of these; the loss is the same."""
    found = {row.quantity: row for row in compare(*two).differences}
    assert set(found) == {"landscape.beta:mean", "train.loss:last"}
    assert {row.arm for row in found.values()} == {"lr 0.2"}
    beta, expected = found["landscape.beta:mean"], interval(np.array([0, 1, 2]) / 4)
    assert beta.one == pytest.approx(0.2 + 1.5)
    for name in ("value", "low", "high", "n"):
        assert getattr(beta.difference, name) == pytest.approx(getattr(expected, name))
    loss = found["train.loss:last"]
    assert (loss.one, loss.other) == (0.25, 0.25)
    assert (loss.difference.value, loss.difference.low, loss.difference.high) == (0.0, 0.0, 0.0)


def test_the_terminal_shows_it_all(two: tuple[Path, Path]) -> None:
    """The numbers of the tests above; what a file says is not markup."""
    text = told(compare(*two), *two)
    for said in ("6 runs in common, 4 of them identical", "3 only in 1, 0 only in 2", "momentum", "2.12", "2, 2",
                 "0.25 [-0.371, 0.871]", "1 of 3 claims have the same verdict", "[/red]"):  # fmt: skip
        assert said in text


def test_quantities_by_name(two: tuple[Path, Path]) -> None:
    """Each way to sum up steps, by hand, on the runs that differ; unknown ones are named with what there is."""
    names = [f"landscape.beta:{over}" for over in ("first", "min", "max", "last", "mean")]
    found = {row.quantity: row.difference.value for row in compare(*two, names).differences}
    expected = [0, 0, 1 / 3, 0, 1 / 4]  # of β = 2.2 + (0, 1, 2) at step 2, beside 3.2 at step 3
    assert list(found.values()) == pytest.approx(expected, abs=1e-12)
    for name, error in {
        "landscape.bet": r"no run has landscape\.bet: no field of landscape called 'bet'; there are beta\. Did",
        "landscape": r"expected PROBE\.FIELD or",
        "landscape.beta:means": "Did you mean 'mean'",
    }.items():
        with pytest.raises(ValueError, match=error):
            compare(*two, [name])


def test_a_run_that_diverged_has_no_last_value_and_makes_no_interval(tmp_path: Path) -> None:
    """One of two seeds: said as not finite, not left out in silence. Infinite in both is no difference either."""
    for seed in range(2):
        keep(tmp_path / "a", {"seed": seed}, rows(1.0))
    keep(tmp_path / "b", {"seed": 0}, rows(2.0))
    keep(tmp_path / "b", {"seed": 1}, rows(math.inf, steps=2), diverged_at=1)
    found = {row.quantity: row for row in compare(tmp_path / "a", tmp_path / "b").differences}
    assert math.isnan(found["train.loss:last"].difference.value)
    assert found["landscape.beta:mean"].other == math.inf
    text = told(compare(tmp_path / "a", tmp_path / "b"), tmp_path / "a", tmp_path / "b")
    assert text.count("not finite") == 2


def test_bits_tell_what_numbers_do_not(tmp_path: Path) -> None:
    """Minus zero, float32 for float64, a NaN for the same NaN, and one row more."""
    keep(tmp_path / "a", {"n": 0, "seed": 0}, {0: {"p": {"x": 0.0}}})
    keep(tmp_path / "b", {"n": 0, "seed": 0}, {0: {"p": {"x": -0.0}}})
    keep(tmp_path / "a", {"n": 1, "seed": 0}, {3: {"p": {"x": np.float32(0.5)}}})
    keep(tmp_path / "b", {"n": 1, "seed": 0}, {3: {"p": {"x": np.float64(0.5)}}})
    keep(tmp_path / "a", {"n": 2, "seed": 0}, {3: {"p": {"x": math.nan}}})
    keep(tmp_path / "b", {"n": 2, "seed": 0}, {3: {"p": {"x": math.nan}}})
    keep(tmp_path / "a", {"n": 3, "seed": 0}, {3: {"p": {"x": 1.0}}})
    keep(tmp_path / "b", {"n": 3, "seed": 0}, {3: {"p": {"x": 1.0}}, 5: {"q": {"x": 1.0}}})
    assert [pair.parts_at for pair in compare(tmp_path / "a", tmp_path / "b").pairs] == [0, 3, None, 5]


def test_runs_that_cannot_be_told_apart_are_no_pair(tmp_path: Path) -> None:
    """Two momenta on one side, a field that the other lacks: which of them would be meant? By hand."""
    for momentum in (0.0, 0.9):
        keep(tmp_path / "a", {"seed": 0, "momentum": momentum}, rows(1.0))
    keep(tmp_path / "a", {"seed": 1, "momentum": 0.9}, rows(1.0))
    for seed in range(2):
        keep(tmp_path / "b", {"seed": seed}, rows(1.0))
    found = compare(tmp_path / "a", tmp_path / "b")
    assert [pair.one.config["seed"] for pair in found.pairs] == [1]
    assert found.alone == (2, 1)


def test_studies_without_anything_in_common(tmp_path: Path) -> None:
    """No pair, and no failure; a folder that is no study, and a damaged table of claims, are refused."""
    keep(tmp_path / "a", {"seed": 0, "lr": 1}, rows(1.0))
    keep(tmp_path / "b", {"seed": 0, "lr": 2}, rows(1.0))
    found = compare(tmp_path / "a", tmp_path / "b")
    assert (found.pairs, found.alone, found.verdicts) == ((), (1, 1), {})
    assert "0 runs in common" in told(found, tmp_path / "a", tmp_path / "b")
    with pytest.raises(ValueError, match="no study's folder"):
        compare(tmp_path, tmp_path / "a")
    (tmp_path / "a" / "claims.json").write_text('[{"id": 1}]')
    with pytest.raises(ValueError, match=r"claims\.json is damaged"):
        compare(tmp_path / "a", tmp_path / "b")
