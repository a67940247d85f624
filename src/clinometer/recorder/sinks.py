"""Sinks: functions that get each measured step's rows once they are in the store; four of them log to trackers.

All trackers get the same scalars, with the names that `scalars` gives (`landscape/beta`, `internal_shift/l2/LAYER`);
the store holds all rows. An active run of a tracker belongs to its user: a sink logs to it, but neither ends it nor
moves its step.
"""

import re
import time
import warnings
import weakref
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from clinometer.extras import need
from clinometer.probes.field import Declared
from clinometer.probes.labels import Rows, scalars
from clinometer.recorder.alerts.alarm_rows import ROWS
from clinometer.recorder.event_files import SUFFIX, drop_events
from clinometer.recorder.notices import warn
from clinometer.store import Row

__all__ = ["Sink", "Sinks", "mlflow", "scalars", "tensorboard", "trackio", "wandb"]

Sink = Callable[[int, Mapping[str, Row]], None]  # the step's index, and probe name to row

_STEP = "clinometer/step"
_BATCH = 1000  # the most metrics that MLflow accepts in one request


class Sinks:
    """A recorder's sinks. A sink that raises gets no more rows.

    A sink may carry `begin`, a function that is called once with the index of the first step. In a run that goes on
    after a crash, the steps from there on may have been logged before.

    Args:
        sinks: Functions of a step's index and its rows.
        declared: The declarations of the rows' fields, which are passed along with them.
        start: The index of the first step.
    """

    def __init__(self, sinks: Sequence[Sink], declared: Declared, start: int) -> None:
        self.used = list(sinks)
        self._declared = declared
        for sink in self.used:
            begin = getattr(sink, "begin", None)
            if begin:
                begin(start)

    def drop(self, sink: Sink) -> None:
        """Pass no more rows to a sink, if it is there."""
        self.used = [each for each in self.used if each is not sink]

    def send(self, index: int, rows: Mapping[str, Row]) -> None:
        """Pass a step's rows to each sink."""
        for sink in list(self.used):
            try:
                sink(index, Rows(rows, self._declared))
            except Exception as error:  # a tracker that is down must not end the training that it tracks
                self.used.remove(sink)
                warn(f"a sink failed and gets no more rows ({type(error).__name__}: {error}); they are in the store.")


def tensorboard(folder: str | Path) -> Sink:
    """Scalars in TensorBoard's event files, at the recorder's own steps; other writers may share the folder.

    Each measured step is flushed, so that it is visible at once and survives a kill. TensorBoard stores float32. A run
    that goes on after a crash deletes the steps that it is about to log again from the files that this sink wrote
    before, and from no other file of the folder.

    Args:
        folder: The log directory, created if it is missing.

    Raises:
        ImportError: if TensorBoard is not installed: `pip install 'clinometer[trackers]'`.

    Example:
        >>> import tempfile
        >>> sink = tensorboard(tempfile.mkdtemp())
        >>> sink(0, {"landscape": {"beta": 3.5}})
    """
    need("tensorboard", "trackers")  # torch's own error does not say what to install
    writer = need("torch.utils.tensorboard", "trackers").SummaryWriter(str(folder), filename_suffix=SUFFIX)
    own = Path(writer.file_writer.event_writer._file_name)

    def begin(start: int) -> None:
        if start:
            drop_events(Path(folder), start, own)

    def sink(step: int, rows: Mapping[str, Row]) -> None:
        for name, value in scalars(rows).items():
            writer.add_scalar(name, value, step)
        for message in rows.get(ROWS, {}).get("message", ()):
            writer.add_text(ROWS, str(message), step)
        writer.flush()

    weakref.finalize(sink, writer.close)
    return _with_begin(sink, begin)


def wandb(run: Any = None, *, commit: bool = False, **init: Any) -> Sink:
    """Scalars in Weights & Biases, drawn over their own axis `clinometer/step`.

    Logs to `run`, or to the active run, or to one that it starts with `wandb.init(**init)`; offline too.

    In a run that it did not start, the numbers join the next row that the run logs, so that its steps do not change. If
    you measure more often than you log, W&B shows only the newest measurement, and a warning is given.

    Args:
        run: The run; the active one by default.
        commit: Give each measurement a row of its own. Only for a run in which nobody passes `step=`.
        init: Arguments of `wandb.init`, for when no run is active: `project="mine", mode="offline"`, ...

    Raises:
        ImportError: if W&B is not installed: `pip install 'clinometer[trackers]'`.
        ValueError: if there are arguments for `init` and a run that they could not change.
    """
    library = need("wandb", "trackers")
    run = library.run if run is None else run
    if run is not None and init:
        raise ValueError(f"{', '.join(init)} cannot change the W&B run that is there already; leave it out.")
    own = run is None
    run = library.init(**init) if own else run
    # Why not `step=index`: W&B's step only grows, and W&B drops what is logged below it without an error. Our step or
    # row could exceed the user's next `log(..., step=epoch)`, and their numbers would be lost.
    run.define_metric(_STEP, hidden=True)
    commit = commit or own or run.settings.mode == "shared"  # where runs have no step
    defined: set[str] = set()
    joined: int | None = None  # the row of the run that holds our last measurement
    last = -1  # the step that was logged last, before a crash

    def begin(start: int) -> None:
        nonlocal last
        last = int(run.summary.get(_STEP, -1)) if start else -1

    def sink(step: int, rows: Mapping[str, Row]) -> None:
        nonlocal joined
        if step <= last:
            return
        for probe in rows.keys() - defined:
            run.define_metric(f"{probe}/*", step_metric=_STEP)
            defined.add(probe)
        if not commit and run.step == joined:
            warnings.warn(
                f"W&B shows step {step} in place of the step measured before, since the run logged nothing in between: "
                "log more often than you measure, or pass commit=True if nobody passes step= to W&B.",
                stacklevel=2,
            )
        run.log(scalars(rows) | {_STEP: step}, commit=commit)
        joined = None if commit else run.step

    return _with_begin(sink, begin)


def mlflow(run_id: str | None = None) -> Sink:
    """Scalars in an MLflow run, at the recorder's own steps; MLflow has separate steps for each metric.

    Characters that MLflow does not accept in a name become "_". Its SQL stores save an infinity as the largest float.

    Args:
        run_id: The run; the active one by default.

    Raises:
        ImportError: if MLflow is not installed: `pip install 'clinometer[trackers]'`.
        ValueError: if no run is active.
    """
    library = need("mlflow", "trackers")
    active = library.active_run()
    if run_id is None and active is None:
        raise ValueError("no MLflow run is active: call mlflow.start_run() before, or pass run_id=.")
    run_id = run_id or active.info.run_id
    client = library.MlflowClient()  # it stays with the tracking URI of now
    client.get_run(run_id)  # an unknown run raises here, not at the first measured step
    first: int | None = None  # the step that a run goes on from
    logged: dict[str, set[int]] = {}  # by metric: its steps from there on

    def begin(start: int) -> None:
        nonlocal first
        first = start or None

    def is_logged(name: str, step: int) -> bool:
        if first is None:
            return False
        if name not in logged:
            logged[name] = {metric.step for metric in client.get_metric_history(run_id, name)}
        return step in logged[name]

    def sink(step: int, rows: Mapping[str, Row]) -> None:
        now = int(1000 * time.time())
        named = {re.sub(r"[^\w\-./ ]", "_", name): value for name, value in scalars(rows).items()}
        metrics = [
            library.entities.Metric(name, value, now, step)
            for name, value in named.items()
            if not is_logged(name, step)
        ]
        for start in range(0, len(metrics), _BATCH):
            client.log_batch(run_id, metrics[start : start + _BATCH])

    return _with_begin(sink, begin)


def trackio(run: Any = None, **init: Any) -> Sink:
    """Scalars in Trackio, at the recorder's own steps, which Trackio accepts in any order.

    Logs to `run`, or to the active run, or to one that it starts with `trackio.init(**init)`. Pass `step=` in
    `trackio.log` calls of your own: without it Trackio counts on from the highest step so far, the recorder's included.

    Args:
        run: The run; the active one by default.
        init: Arguments of `trackio.init`, for when no run is active: `project="mine"`, ...

    Raises:
        ImportError: if Trackio is not installed: `pip install 'clinometer[trackers]'`.
        ValueError: if there are arguments for `init` and a run that they could not change.
    """
    library = need("trackio", "trackers")
    run = library.context_vars.current_run.get() if run is None else run  # the only access to the active run
    if run is not None and init:
        raise ValueError(f"{', '.join(init)} cannot change the Trackio run that is there already; leave it out.")
    run = library.init(**init) if run is None else run

    def sink(step: int, rows: Mapping[str, Row]) -> None:
        run.log(scalars(rows), step=step)

    return sink


def _with_begin(sink: Sink, begin: Callable[[int], None]) -> Sink:
    vars(sink)["begin"] = begin
    return sink
