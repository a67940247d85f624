"""The walks that a study recorded, as panels of a figure."""

import dataclasses

import numpy as np

from clinometer.pages.study_page.walks import walks_figure
from clinometer.results.run_table import RunTable
from clinometer.studies.declared.spec import OwnStudy
from clinometer.studies.plan import plan

STUDY = OwnStudy(name="rates", model="nets:mlp", factors={"lr": [0.1, 0.2]}, steps=3, probes=["landscape"], every=1)
PLAN = plan(STUDY.study(), "own", seeds=2, first_seed=5)


def rows(lr: float, seed: int) -> dict[str, dict[str, np.ndarray]]:
    """The rows of a run on L(x) = x² from x = 1 + seed, whose walk is known: L(x − η·2x) = x²(1 − 2η)²."""
    sizes, start = np.array([0.5, 1.0]) * lr, (1.0 + seed) ** 2
    along = {"sizes": np.tile(sizes, (3, 1)), "losses": np.tile(start * (1 - 2 * sizes) ** 2, (3, 1))}
    return {"train": {"loss": np.full(3, start)}, "landscape": {"loss": np.full(3, start), **along}}


def test_a_walk_begins_where_the_step_began_and_is_of_one_run() -> None:
    """A parabola in closed form: at η = 0 the loss itself, then (1 − 2η)² of it; of the first seed alone."""
    found = walks_figure(PLAN, RunTable.of_arrays({run: rows(run["lr"], run.seed) for run in PLAN.configs}))
    assert found
    assert [panel.group for panel in found.panels] == ["lr 0.1", "lr 0.2"]
    assert "seed 5" in found.caption
    for lr, panel in zip((0.1, 0.2), found.panels, strict=True):
        walk = panel.walk
        assert walk
        assert walk.steps.tolist() == [0, 1, 2]
        np.testing.assert_allclose(walk.losses, 36 * (1 - 2 * walk.sizes) ** 2)
        assert walk.sizes[0].tolist() == [0.0, lr / 2, lr]


def test_where_no_walk_was_recorded_there_is_none() -> None:
    """An older store, or a study with other probes: no figure, rather than one without lines."""
    run = PLAN.configs[0]
    without = {name: of for name, of in rows(0.1, 5).items() if name != "landscape"}
    assert walks_figure(PLAN, RunTable.of_arrays({run: without})) is None
    assert walks_figure(PLAN, RunTable({})) is None


def test_a_run_that_diverged_walks_as_far_as_it_came() -> None:
    """Steps that it never took have no losses: NaN, not numbers of another step."""
    run = PLAN.configs[0]
    short = {name: {field: values[:2] for field, values in of.items()} for name, of in rows(0.1, 5).items()}
    found = walks_figure(PLAN, RunTable.of_arrays({dataclasses.replace(run): short}, {run: 1}))
    assert found
    assert found.panels[0].walk
    assert np.isnan(found.panels[0].walk.losses[2]).all()
