"""What people see: each tracker's own reader, against the rows in the store."""

import json
import math
import random
import struct
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from clinometer import Recorder, Store, activations, every, internal_shift, landscape
from clinometer.probes.field import declared_in
from clinometer.probes.labels import Rows
from clinometer.recorder import sinks

EXTRA = "the trackers are an extra: pip install 'clinometer[trackers]'"


@pytest.fixture(scope="module")
def store() -> Store:
    """A real run measured on two schedules, and two rows that no real run should have."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 5), nn.BatchNorm1d(5), nn.Tanh(), nn.Linear(5, 3))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    loss_fn = lambda model, batch: F.cross_entropy(model(batch), batch[:, :3].argmax(1))  # noqa: E731
    when = {"landscape": every(2), "internal_shift": every(3), "activations": every(3)}
    probes = [landscape(), internal_shift(), activations(["0"])]
    recorder = Recorder(model, loss_fn, probes, when, optimizer=optimizer)
    for _ in range(5):
        batch = torch.randn(16, 6)
        with recorder.step(batch):
            loss_fn(model, batch).backward()
            optimizer.step()
            optimizer.zero_grad()
    recorder.store.append(10, {"own": {"x": math.nan, "y": -math.inf, "note": "text"}})
    recorder.store.append(11, {"own": {"x": math.inf, "y": 2, "layer": ["a (1)", ""], "z": [True, False]}})
    return recorder.store


def sent(store: Store) -> Iterator[tuple[int, dict[str, Any]]]:
    """What a recorder hands to a sink, step by step; a draw from the run's random streams would change the run."""
    rows, streams = store.rows(), (random.getstate(), torch.get_rng_state().tolist())
    for step in sorted(set().union(*rows.values())):
        now = {probe: steps[step] for probe, steps in rows.items() if step in steps}
        yield step, Rows(now, declared_in(store.meta))
    assert (random.getstate(), torch.get_rng_state().tolist()) == streams


def expected(store: Store) -> dict[str, dict[int, float]]:
    """Name to step to number, by hand from the stored arrays."""
    walk, shift = store.read("landscape"), store.read("internal_shift")
    names = {
        f"landscape/{name}": walk[name] for name in ("loss", "grad_norm", "beta", "beta_lr_half", "beta_over_threshold")
    }
    names |= {f"landscape/{name}": walk[name] for name in ("loss_min", "loss_max", "gap_min", "gap_max")}
    for name in ("sizes", "distances", "losses", "grad_gaps", "cosines"):
        names |= {f"landscape/{name}/{i}": walk[name][:, i] for i in range(4)}
    found = {name: dict(zip([0, 2, 4], values.tolist(), strict=True)) for name, values in names.items()}
    for name in ("l2", "cosine"):
        for i, layer in enumerate(("0", "3")):
            found[f"internal_shift/{name}/{layer}"] = dict(zip([0, 3], shift[name][:, i].tolist(), strict=True))
    found["own/x"] = {10: math.nan, 11: math.inf}
    found["own/y"] = {10: -math.inf, 11: 2.0}
    return found | {"own/z/a (1)": {11: 1.0}, "own/z/model": {11: 0.0}}


def same(seen: dict[str, dict[int, float]], wanted: dict[str, dict[int, float]]) -> None:
    assert seen.keys() == wanted.keys()
    for name, steps in wanted.items():
        np.testing.assert_equal(seen[name], steps, err_msg=name)  # NaN equals NaN, and every bit counts


def test_scalars_are_the_stored_numbers_by_name(store: Store) -> None:
    """Against the arrays by hand: every named number is there, and no text, histogram or number per unit."""
    seen: dict[str, dict[int, float]] = {}
    for step, rows in sent(store):
        for name, value in sinks.scalars(rows).items():
            seen.setdefault(name, {})[step] = value
    same(seen, expected(store))


def test_tensorboard_reads_back_what_the_store_holds(store: Store, tmp_path: Path) -> None:
    """Through TensorBoard's own reader; its float32 is the store's number rounded once."""
    pytest.importorskip("tensorboard", reason=EXTRA)
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    sink = sinks.tensorboard(tmp_path)
    for step, rows in sent(store):
        sink(step, rows)
    events = EventAccumulator(str(tmp_path)).Reload()  # while the writer is still open: every step is flushed
    seen = {name: {e.step: e.value for e in events.Scalars(name)} for name in events.Tags()["scalars"]}
    wanted = {name: {s: float(np.float32(v)) for s, v in steps.items()} for name, steps in expected(store).items()}
    same(seen, wanted)


@pytest.fixture
def offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """W&B without a network or an account; with nothing left over for the next test."""
    wandb = pytest.importorskip("wandb", reason=EXTRA)
    for name, value in {"WANDB_MODE": "offline", "WANDB_DIR": str(tmp_path), "WANDB_SILENT": "true"}.items():
        monkeypatch.setenv(name, value)
    yield wandb
    if wandb.run is not None:
        wandb.run.finish()
    wandb.teardown()  # forgets the environment of this test


def wandb_rows(folder: Path) -> list[dict[str, Any]]:
    """The history in an offline run's file: protobuf records in LevelDB's log format, in blocks of 32 KiB.

    To be called after `teardown`, which waits for W&B's own process: `finish` returns before the file is written.
    """
    from wandb.proto.wandb_internal_pb2 import Record

    (path,) = folder.glob("wandb/offline-run-*/run-*.wandb")
    data, at, record, rows = path.read_bytes(), 7, b"", []
    while at + 7 <= len(data):
        left = 32768 - at % 32768
        if left < 7:
            at += left
            continue
        _, length, kind = struct.unpack("<IHB", data[at : at + 7])
        record += data[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in (1, 4):  # whole, or the last part
            parsed, record = Record.FromString(record), b""
            if parsed.WhichOneof("record_type") == "history":
                items = parsed.history.item
                rows.append({item.key or "/".join(item.nested_key): json.loads(item.value_json) for item in items})
    return rows


def test_wandb_keeps_the_rows_of_a_run_of_its_own(store: Store, offline: Any, tmp_path: Path) -> None:
    """Read from the run's file: as many rows as measured steps, each over the recorder's step."""
    sink = sinks.wandb(project="mine")
    for step, rows in sent(store):
        sink(step, rows)
    offline.run.finish()
    offline.teardown()
    seen: dict[str, dict[int, float]] = {}
    for row in wandb_rows(tmp_path):
        step = row.pop("clinometer/step")
        for name, value in row.items():
            if not name.startswith("_"):
                seen.setdefault(name, {})[step] = float(value)
    same(seen, expected(store))


def test_wandb_leaves_the_users_steps_as_they_were(offline: Any, tmp_path: Path) -> None:
    """Of a run that passes step=, here epochs: W&B drops what comes below its own step, so one lost row would show."""
    sink = sinks.wandb(run := offline.init(project="mine"))
    for epoch in range(4):
        if epoch % 2 == 0:
            sink(100 * epoch, {"landscape": {"beta": 0.5 * epoch}})
        run.log({"loss": 1.0 / (epoch + 1)}, step=epoch)
    assert offline.run is run, "not finished, not replaced"
    run.finish()
    offline.teardown()
    rows = wandb_rows(tmp_path)
    assert [(row["_step"], row["loss"]) for row in rows] == [(0, 1.0), (1, 0.5), (2, 1 / 3), (3, 0.25)]
    ours = [(row["clinometer/step"], row["landscape/beta"]) for row in rows if "clinometer/step" in row]
    assert ours == [(0, 0.0), (200, 1.0)]


def test_wandb_says_when_a_measurement_takes_anothers_place(offline: Any, tmp_path: Path) -> None:
    """Nothing is logged in between, so W&B has one row; with commit=True, both."""
    run = offline.init(project="mine")
    sink, each = sinks.wandb(), sinks.wandb(commit=True)
    sink(0, {"p": {"x": 1.0}})
    with pytest.warns(UserWarning, match="W&B shows step 5 in place of"):
        sink(5, {"p": {"x": 2.0}})
    run.log({"loss": 1.0})
    each(10, {"p": {"x": 3.0}})
    each(15, {"p": {"x": 4.0}})
    run.finish()
    offline.teardown()
    assert [(row["clinometer/step"], row["p/x"]) for row in wandb_rows(tmp_path)] == [(5, 2.0), (10, 3.0), (15, 4.0)]


def test_wandb_refuses_settings_that_would_be_ignored(offline: Any) -> None:
    """W&B itself would keep the run's project and say nothing."""
    offline.init(project="mine")
    with pytest.raises(ValueError, match="project cannot change the W&B run that is there"):
        sinks.wandb(project="other")


@pytest.fixture
def mlflow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """MLflow in a folder: the slim package has no SQL store, and asks for the folder to be wanted."""
    mlflow = pytest.importorskip("mlflow", reason=EXTRA)
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri((tmp_path / "mlruns").as_uri())
    yield mlflow
    mlflow.end_run()
    mlflow.set_tracking_uri(before)


def test_mlflow_reads_back_what_the_store_holds(store: Store, mlflow: Any) -> None:
    """Through MLflow's own client, whose names are narrower; the user's run goes on, and is still theirs to end."""
    run = mlflow.start_run()
    sink = sinks.mlflow()
    for step, rows in sent(store):
        sink(step, rows)
        mlflow.log_metric("loss", 1.0, step=7)
    assert mlflow.active_run().info.run_id == run.info.run_id
    client = mlflow.MlflowClient()
    names = client.get_run(run.info.run_id).data.metrics.keys() - {"loss"}
    seen = {n: {m.step: m.value for m in client.get_metric_history(run.info.run_id, n)} for n in names}
    wanted = expected(store)
    wanted["own/z/a _1_"] = wanted.pop("own/z/a (1)")
    same(seen, wanted)
    assert {m.step for m in client.get_metric_history(run.info.run_id, "loss")} == {7}


def test_mlflow_takes_more_numbers_than_one_request_holds(mlflow: Any) -> None:
    """MLflow's own limit is 1,000, which a network of 600 layers passes."""
    with mlflow.start_run() as run:
        layers = [f"block {i}" for i in range(600)]
        sinks.mlflow()(0, {"shift": {"layer": layers, "l2": range(600), "cosine": range(600)}})
    assert len(mlflow.MlflowClient().get_run(run.info.run_id).data.metrics) == 1200


def test_mlflow_wants_a_run(mlflow: Any) -> None:
    """Left to itself MLflow would start one that nobody asked for, and at the first measured step."""
    with pytest.raises(ValueError, match=r"no MLflow run is active: call mlflow.start_run\(\)"):
        sinks.mlflow()
    with pytest.raises(Exception, match="nowhere"):
        sinks.mlflow(run_id="nowhere")


def test_trackio_reads_back_what_the_store_holds(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From Trackio's SQLite file, next to what the user logs at steps of their own."""
    monkeypatch.setenv("TRACKIO_DIR", str(tmp_path))  # read when it is first imported, which is here
    trackio = pytest.importorskip("trackio", reason=EXTRA)
    from trackio.sqlite_storage import SQLiteStorage

    sink = sinks.trackio(project="mine", embed=False, auto_log_gpu=False, auto_log_cpu=False)
    run = trackio.context_vars.current_run.get()
    with pytest.raises(ValueError, match="project cannot change the Trackio run that is there"):
        sinks.trackio(project="other")
    for step, rows in sent(store):
        sink(step, rows)
        trackio.log({"loss": 1.0}, step=100 + step)
    assert trackio.context_vars.current_run.get() is run, "not finished, not replaced"
    trackio.finish()
    seen: dict[str, dict[int, float]] = {}
    for row in SQLiteStorage.get_logs("mine", run.name):
        for name in row.keys() - {"step", "timestamp"}:
            seen.setdefault(name, {})[row["step"]] = float(row[name])
    assert seen.pop("loss").keys() == {100, 102, 103, 104, 110, 111}
    same(seen, expected(store))


@pytest.mark.parametrize("name", ["tensorboard", "wandb", "mlflow", "trackio"])
def test_a_missing_tracker_is_said_before_the_run(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Made unimportable; the message names what to install."""
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ImportError, match=r"pip install 'clinometer\[trackers\]'"):
        getattr(sinks, name)(**({"folder": tmp_path} if name == "tensorboard" else {}))


def train_on(first: int, last: int, folder: Path, *used: Any) -> Recorder:
    """Part of a run that is gone on with: each number is drawn from its step, so that it comes again as it was."""
    model = nn.Linear(4, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    loss_fn = lambda model, batch: model(batch).square().mean()  # noqa: E731
    probe = {"probe": lambda step: {"x": float(step.index)}}
    recorder = Recorder(model, loss_fn, probe, every(10), optimizer=optimizer, to=folder, start=first, sinks=used)
    for _ in range(first, last):
        with recorder.step(batch := torch.ones(2, 4)):
            loss_fn(model, batch).backward()
            optimizer.step()
    recorder.store.close()
    return recorder


STEPS = [0, 10, 20, 30, 40, 50]


def test_tensorboard_has_each_step_once_after_a_crash(tmp_path: Path) -> None:
    """Through TensorBoard's own reader; another writer of the folder counts other steps, and keeps all of its own."""
    pytest.importorskip("tensorboard", reason=EXTRA)
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from torch.utils.tensorboard import SummaryWriter

    other = SummaryWriter(str(tmp_path))
    for tokens in (0, 1000, 2000):
        other.add_scalar("loss", 1.0, tokens)
    other.close()
    train_on(0, 50, tmp_path, sinks.tensorboard(tmp_path))
    train_on(30, 60, tmp_path, sinks.tensorboard(tmp_path))
    events = EventAccumulator(str(tmp_path)).Reload()
    assert [(each.step, each.value) for each in events.Scalars("probe/x")] == [(step, float(step)) for step in STEPS]
    assert [each.step for each in events.Scalars("loss")] == [0, 1000, 2000]


def test_mlflow_has_each_step_once_after_a_crash(mlflow: Any, tmp_path: Path) -> None:
    """Through MLflow's own client, in one run that is gone on with; steps that it had are not logged again."""
    run_id = mlflow.start_run().info.run_id
    train_on(0, 50, tmp_path / "a", sinks.mlflow())
    train_on(30, 60, tmp_path / "a", sinks.mlflow(run_id))
    history = mlflow.MlflowClient().get_metric_history(run_id, "probe/x")
    assert [(each.step, each.value) for each in history] == [(step, float(step)) for step in STEPS]


def test_wandb_has_each_step_once_after_a_crash(offline: Any, tmp_path: Path) -> None:
    """A resumed run knows its summary; here it is the same run that goes on, as W&B's server cannot be had."""
    run = offline.init(project="mine")
    train_on(0, 50, tmp_path / "a", sinks.wandb(run, commit=True))
    train_on(30, 60, tmp_path / "a", sinks.wandb(run, commit=True))
    run.finish()
    offline.teardown()
    assert [row["clinometer/step"] for row in wandb_rows(tmp_path) if "clinometer/step" in row] == STEPS
