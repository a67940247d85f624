"""`load` of several runs by name: every number under its run, and what cannot be joined refused in words."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from clinometer import Store, load


def kept(folder: Path, rows: dict[int, dict[str, Any]], **facts: Any) -> Path:
    """A recorder's folder with these rows by step."""
    store = Store(folder / "rows.sqlite")
    for step, row in rows.items():
        store.append(step, row)
    store.set_meta(**facts)
    store.close()
    return folder


def test_each_number_stands_under_its_run_step_and_layer(tmp_path: Path) -> None:
    """By hand: other steps, other layers in another order, a probe that one run has, text, and integers with gaps."""
    one = {
        0: {"p": {"layer": ["a", "b"], "x": [1, 2]}, "note": {"said": "up"}},
        10: {"p": {"layer": ["a", "b"], "x": [3, 4]}},
    }
    other = {
        10: {"p": {"layer": ["c", "b"], "x": [5, 6]}, "q": {"y": 7.5}},
        20: {"p": {"layer": ["c", "b"], "x": [8, 9]}},
    }
    base, mine = kept(tmp_path / "a", one, lr=0.1), kept(tmp_path / "b", other, lr=0.2)
    data = load({"base": base, "mine": mine / "rows.sqlite"})
    assert data.p_x.dims == ("run", "step", "layer")
    assert data.run.values.tolist() == ["base", "mine"]
    assert data.step.values.tolist() == [0, 10, 20]
    assert data.layer.values.tolist() == ["a", "b", "c"]
    nan = math.nan
    np.testing.assert_array_equal(data.p_x.sel(run="base"), [[1, 2, nan], [3, 4, nan], [nan] * 3])
    np.testing.assert_array_equal(data.p_x.sel(run="mine"), [[nan] * 3, [nan, 6, 5], [nan, 9, 8]])
    np.testing.assert_array_equal(data.q_y, [[nan] * 3, [nan, 7.5, nan]])
    assert data.note_said.sel(run="base").values.tolist() == ["up", "", ""]
    assert data.attrs == {"base": {"lr": 0.1}, "mine": {"lr": 0.2}}
    for name, folder in (("base", base), ("mine", mine)):
        alone = load(folder).p_x
        assert (
            data.p_x.sel(run=name, step=alone.step, layer=alone.layer).astype(int).values.tolist()
            == alone.values.tolist()
        )
    table = load({"base": base, "mine": mine}, to="pandas")
    assert table[["run", "step"]].values.tolist() == [["base", 0], ["base", 10], ["mine", 10], ["mine", 20]]
    assert table["p/x/b"].tolist() == [2, 4, 6, 9]


def test_seeds_of_a_side_are_an_axis(tmp_path: Path) -> None:
    """By hand: two seeds of one side and one of the other, whose second place is empty."""
    folders = [kept(tmp_path / str(n), {0: {"p": {"x": float(n)}}}, seed=n) for n in range(3)]
    data = load({"base": folders[:2], "mine": [folders[2]]})
    assert data.p_x.dims == ("run", "seed", "step")
    np.testing.assert_array_equal(data.p_x[..., 0], [[0, 1], [2, math.nan]])
    assert data.attrs == {"base": [{"seed": 0}, {"seed": 1}], "mine": [{"seed": 2}]}
    table = load({"base": folders[:2], "mine": folders[2:]}, to="pandas")
    assert table[["run", "seed", "p/x"]].values.tolist() == [["base", 0, 0.0], ["base", 1, 1.0], ["mine", 0, 2.0]]


def test_what_cannot_be_joined_is_refused_in_words(tmp_path: Path) -> None:
    """Each mistake of a caller, with what it was: nothing is guessed and nothing is joined by half."""
    a = kept(tmp_path / "a", {0: {"p": {"x": 1.0}}})
    b = kept(tmp_path / "b", {0: {"p": {"x": [1.0, 2.0]}}})
    with pytest.raises(
        ValueError, match=r"p_x has axes \(step\) and \(step, p_x_0\) at different steps or in differen"
    ):
        load({"a": a, "b": b})
    with pytest.raises(ValueError, match="given twice, as 'a' and as 'b'"):
        load({"a": a, "b": tmp_path / "b" / ".." / "a"})
    with pytest.raises(ValueError, match="given twice"):
        load({"a": [a, a / "rows.sqlite"]})
    with pytest.raises(ValueError, match=r"there is no .*gone"):
        load({"a": a, "b": tmp_path / "gone"})
    with pytest.raises(ValueError, match=r"holds no rows\.sqlite"):
        load({"a": a, "b": tmp_path})
    (tmp_path / "study" / "runs").mkdir(parents=True)
    (tmp_path / "study" / "study.json").write_text("{}")
    with pytest.raises(
        ValueError, match="the folder of a study, which has many runs: single runs are laid side by side"
    ):
        load({"a": a, "b": tmp_path / "study"})
    with pytest.raises(ValueError, match="expected a name for each run"):
        load({})
    with pytest.raises(ValueError, match="expected a name for each run, such as 'base'; found ''"):
        load({"": a})
    with pytest.raises(ValueError, match="has no folder"):
        load({"a": []})
    with pytest.raises(TypeError, match="expected a run's folder for 'a'"):
        load({"a": 3})  # pyright: ignore[reportArgumentType]
