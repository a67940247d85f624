"""Pages of runs that are short, damaged or strange: each says so, and shows the rest."""

import sqlite3
from pathlib import Path

import numpy as np
import pytest

from clinometer import Store, headroom, landscape
from clinometer.pages.run_page.page import judge_run, report_run
from clinometer.probes.field import declared_by, to_json
from clinometer.probes.stacked import stacked
from clinometer.results.run_tables import read_run


def page_of(folder: Path) -> str:
    report_run(folder)
    return (folder / "report.html").read_text()


def test_a_run_without_rows(tmp_path: Path) -> None:
    """A recorder that never measured leaves such a file."""
    store = Store(tmp_path / "rows.sqlite")
    store.set_meta(fields={})
    store.close()
    page = page_of(tmp_path)
    assert "Cannot be told" in page
    assert page.count("o step was measured yet") == 2


def test_a_run_of_one_row(tmp_path: Path) -> None:
    """Lines of one point, a heat map of one column, a walk of one step."""
    store = Store(tmp_path / "rows.sqlite")
    store.set_meta(fields=to_json(declared_by({p.__name__: p for p in (landscape(), landscape(blocks="layers"))})))
    walk = {"sizes": [0.5, 1.0], "losses": [1.0, 2.0], "loss": 1.5, "beta_lr_half": 0.5}
    store.append(7, {"landscape": walk, "landscape_blocks": {"block": ["a", "b"], "beta_lr_half": [0.5, np.inf]}})
    store.close()
    page = page_of(tmp_path)
    assert "step 7 measured" in page
    assert all(f'id="landscape{part}"' in page for part in ("-numbers", "-walk", "_blocks-layers"))
    assert "∞" in page


def damage(path: Path, probe: str) -> None:
    """Change a byte of a value of this probe, as a bad disk does."""
    db = sqlite3.connect(path)
    query = (
        "SELECT step, field, data FROM rows JOIN fields ON rows.field = fields.id WHERE probe = ? ORDER BY step LIMIT 1"
    )
    ((step, field, data),) = db.execute(query, (probe,))
    changed = bytes([data[0] ^ 1]) + data[1:]
    db.execute("UPDATE rows SET data = ? WHERE step = ? AND field = ?", (changed, step, field))
    db.commit()
    db.close()


def test_a_damaged_value_costs_its_probe_alone(tmp_path: Path) -> None:
    """The damage is made by SQLite itself, behind the store's back; the page names it, and draws the other probe."""
    store = Store(tmp_path / "rows.sqlite")
    store.set_meta(fields=to_json(declared_by({"headroom": headroom()})))
    for step in range(3):
        store.append(step, {"headroom": {"loss": 3.0 + step}, "other": {"x": 1.0 + step}})
    store.seal()
    store.close()
    damage(tmp_path / "rows.sqlite", "other")
    page = page_of(tmp_path)
    assert "Not all could be read" in page
    assert "other.x at step 0: it does not match its checksum" in page
    assert "Stable" in page
    assert 'id="headroom-numbers"' in page
    assert 'id="other-numbers"' not in page
    assert "other.x at step 0" in judge_run(tmp_path).missing[0]  # which a terminal says, too


def test_a_file_of_nobodys_is_refused_and_left_alone(tmp_path: Path) -> None:
    """No page is written about what cannot be read at all."""
    (tmp_path / "rows.sqlite").write_bytes(b"nothing of ours" * 100)
    with pytest.raises(ValueError, match="is not a clinometer store"):
        report_run(tmp_path)
    with pytest.raises(ValueError, match="nothing"):
        report_run(tmp_path / "nothing")
    assert [path.name for path in tmp_path.iterdir()] == ["rows.sqlite"]


def test_a_probe_that_nobody_knows_is_drawn_as_it_looks(tmp_path: Path) -> None:
    """Numbers as lines, and every field that has no picture by its name: nothing is dropped in silence."""
    store = Store(tmp_path / "rows.sqlite")
    for step in range(4):
        store.append(
            step, {"odd": {"x": float(step), "grid": np.ones((2, 2)), "note": "up", "many": np.arange(step + 1)}}
        )
    store.close()
    page = page_of(tmp_path)
    assert 'id="odd-numbers"' in page
    assert "3 fields" in page
    assert all(f"<code>{name}</code>: nothing is declared of it" in page for name in ("grid", "note", "many"))


def test_facts_that_are_not_stored_are_not_made_up(tmp_path: Path) -> None:
    """A store from before recorders wrote facts: the page names no version and no processor of this machine."""
    store = Store(tmp_path / "rows.sqlite")
    store.append(0, {"train": {"loss": 1.0}})
    store.close()
    page = page_of(tmp_path)
    assert page.count("not stored") >= 6
    assert "torch" not in page[page.index('id="run"') :].partition("<script>")[0]


def test_the_page_goes_where_it_is_wanted(tmp_path: Path) -> None:
    """Nothing is written beside a store that is only read."""
    store = Store(tmp_path / "run" / "rows.sqlite")
    store.append(0, {"train": {"loss": 1.0}})
    store.seal()
    store.close()
    before = sorted((tmp_path / "run").iterdir())
    report_run(tmp_path / "run" / "rows.sqlite", tmp_path / "pages" / "mine.html")
    assert sorted((tmp_path / "run").iterdir()) == before
    assert "Run run" in (tmp_path / "pages" / "mine.html").read_text()


def test_layers_that_come_later_keep_their_names() -> None:
    """By hand: rows whose names and shapes change, as where layers are unfrozen: put by name, and filled with NaN."""
    rows = {
        0: {"block": np.array(["head"]), "x": np.array([1.0]), "n": np.array([3, 4])},
        5: {"block": np.array(["stem", "head"]), "x": np.array([2.0, 3.0]), "y": np.array(1.0)},
    }
    table = stacked(rows)
    assert table["block"].tolist() == [["head", "stem"]] * 2
    np.testing.assert_array_equal(table["x"], [[1.0, np.nan], [3.0, 2.0]])
    np.testing.assert_array_equal(table["y"], [np.nan, 1.0])
    np.testing.assert_array_equal(table["n"], [[3.0, 4.0], [np.nan, np.nan]])


def test_damaged_facts_cost_the_facts_alone(tmp_path: Path) -> None:
    """Their checksum is changed: rows are read on, and drawn as if nothing was declared."""
    store = Store(tmp_path / "rows.sqlite")
    store.append(0, {"train": {"loss": 1.0}})
    store.seal()
    store.close()
    db = sqlite3.connect(tmp_path / "rows.sqlite")
    db.execute("UPDATE meta SET checksum = checksum + 1")
    db.commit()
    db.close()
    run = read_run(tmp_path)
    assert list(run.tables) == ["train"]
    assert "the facts about the run cannot be read" in run.missing[0]
