"""Loads the rows of a run, of several or of a study as a labelled data set or data frame, for notebooks."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from clinometer.extras import need
from clinometer.probes.field import declared_in
from clinometer.results import run_frame, sides_frame, study_frame
from clinometer.results.finished_run import check_run, is_study
from clinometer.results.sides import Given, sides_of
from clinometer.store import Store


def load(
    path: str | Path | Given,
    to: Literal["xarray", "pandas"] = "xarray",
    *,
    by: Literal["factors", "runs"] | None = None,
) -> Any:
    """The rows of a run, of several with a name for each, or of all runs of a study, with names on their axes.

    **A run**, also one that is still going on, or was killed. As an `xarray.Dataset`: variables `PROBE_FIELD` with axes
    `step`, `layer` and `block` (with their names), and `size` (the position among the walk's sizes, which themselves
    are `PROBE_sizes`). All probes share these axes: where one has nothing, since its schedule differs, or an array was
    shorter at another step, there stands NaN, integers becoming floats, and "" for text. NaN and infinity that were
    measured are kept. Arrays with another axis share none, since joined they might not fit into memory:
    `activations_mean` has axes `activations_step`, `activations_layer`, `activations_unit`. `attrs` holds the store's
    facts, and `attrs` of a variable its meaning and unit, as the probe declares them. All rows are read at one moment,
    and are held in memory.

    As a `pandas.DataFrame`: one row per step, one column of floats per number that a chart could show, named as in
    trackers: `landscape/beta`, `internal_shift/l2/LAYER`, `landscape/losses/0`. That is what `.plot()`, `.describe()`
    and `.to_csv()` expect; long tables, and arrays per unit, are a call away: `load(path).PROBE_FIELD.to_dataframe()`.

    **Several runs**, as `{"base": "runs/a", "mine": "runs/b"}`: the same with an axis `run` of these names in front, so
    that `load(...).landscape_beta.sel(run="mine")` is that run's. Steps, layers and blocks are those that any run has;
    where one lacks them, or a probe, there stands NaN, and "" for text. `attrs` holds the facts of each run under its
    name. A list of folders for a name, one for each seed, gives an axis `seed` behind `run`: the position in the list.
    As a frame: a row per run and step, with columns `run`, `seed` and `step` in front.

    **A study**: the same over its finished runs. As a data set, each field of `config.json` that differs between runs
    is an axis of its own before those of the run: `load(path).landscape_beta.sel(norm="batch").mean("seed")`. Where no
    run was made, or one lacks a probe, or it diverged, there stands NaN. If over three quarters of the combinations
    have no run, since factors go together, there is one axis `run` in their place, each factor being a coordinate
    along it: `data.sel(run=data.norm == "batch")`. Coordinates `run` (the folder's name) and `diverged_at` lie along
    the same axes. A factor named as something else in the data set is `config_NAME`. `attrs` holds the fields that do
    not vary, the study's name and scale, how many runs there are, and how many are unfinished and left out. Only
    configs and the shapes of rows are read at once; numbers are read when they are used, of the runs that are used.

    As a frame: one row per run and step, with columns `run`, the factors, and `step` before those of a run's frame. All
    of it is in memory.

    Args:
        path: The recorder's folder or its `rows.sqlite`; a mapping from names to these, or to lists of them; or a
            study's folder, which holds `runs/`.
        to: Which of the two.
        by: For a study as a data set, an axis per factor, or one for runs; by default as said above.

    Raises:
        ValueError: if there is no store, the file is something else, a field's axes change between steps or runs, or a
            run is given twice, or is damaged; the message names it.
        ImportError: if the library is not installed: `pip install 'clinometer[export]'`.

    Example:
        >>> import tempfile
        >>> folder = tempfile.mkdtemp()
        >>> store = Store(f"{folder}/rows.sqlite")
        >>> for step in (0, 100):
        ...     store.append(step, {"shift": {"layer": ["conv", "head"], "l2": [0.5, 0.25 + step]}})
        >>> load(folder).shift_l2.sel(layer="head").values
        array([  0.25, 100.25])
        >>> load(folder, to="pandas")["shift/l2/head"].to_dict()
        {0: 0.25, 100: 100.25}
    """
    if to not in ("xarray", "pandas"):
        raise ValueError(f"to must be 'xarray' or 'pandas'; found {to!r}.")
    if by not in (None, "factors", "runs"):
        raise ValueError(f"by must be 'factors' or 'runs'; found {by!r}.")
    library = need(to, "export")
    if isinstance(path, Mapping):
        sides = sides_of(path)
        return sides_frame.dataset(library, sides) if to == "xarray" else sides_frame.frame(library, sides)
    if is_study(Path(path)):
        return (
            study_frame.dataset(library, Path(path), by) if to == "xarray" else study_frame.frame(library, Path(path))
        )
    file = run_frame.store_file(path)
    check_run(file.parent)
    store = Store(file, read_only=True)
    rows, facts = store.rows(), store.meta
    store.close()
    if to == "pandas":
        return run_frame.frame(library, rows, declared_in(facts))
    return run_frame.dataset(library, rows, facts)
