"""A cluster of two nodes of this machine with one CPU each, which share no folder with the study."""

import hashlib
import json
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from itertools import chain, islice
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from hostile import make_parquet
from properties import assert_same
from ray.cluster_utils import Cluster as Nodes

from clinometer import Store
from clinometer.papers.santurkar2018.configs import vgg
from clinometer.runner.ray import pool, transfer
from clinometer.runner.ray.actor import Place, Slot
from clinometer.runner.ray.connect import ClusterError
from clinometer.runner.ray.pool import RayPool
from clinometer.runner.ray.transfer import Parcel, pack, unpack
from clinometer.runner.records import read_records
from clinometer.runner.scheduler import Progress, run_all
from clinometer.runner.worker import Task
from clinometer.store import DamagedError
from clinometer.training import from_config
from clinometer.training.config import RunConfig, grid
from clinometer.training.fingerprint import fingerprint
from clinometer.training.keeper import Keeper
from clinometer.training.run import run, run_group
from clinometer.training.run_folder import run_folder, verify

# Ray's own start of a head leaves its logs to the garbage collector.
pytestmark = pytest.mark.filterwarnings(
    "ignore:Exception ignored in. <_io.FileIO name='.*ray_client_server:pytest.PytestUnraisableExceptionWarning"
)

TINY = vgg(width=1 / 16, steps=12, measure_every=4, test_every=6, batch_size=32)
SLOW = TINY.vary(steps=150, test_every=150)


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nodes]:
    """Two nodes, and the address of a Ray Client's server as `client`; they keep data in a folder of their own."""
    small: dict[str, Any] = {"num_cpus": 1, "object_store_memory": 80_000_000, "include_dashboard": False}
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLINOMETER_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.delenv("CLINOMETER_DATA", raising=False)
        patch.setenv("RAY_worker_niceness", "0")  # Ray's own 15 would starve them beside other tests
        made = Nodes(initialize_head=True, head_node_args={**small, "ray_client_server_port": port})
        made.add_node(**small)
    made.client = f"ray://127.0.0.1:{port}"
    yield made
    made.shutdown()


def assert_as_if_made_here(configs: list[RunConfig], study: Path, here: Path) -> None:
    """Whole, and with every row of the same run made by this process, which was never interrupted."""
    for config in configs:
        run(config, here / config.key)
        verify(run_folder(study, config))
        assert_same(rows(run_folder(study, config)), rows(here / config.key))


def rows(folder: Path) -> dict[str, object]:
    store = Store(folder / "rows.sqlite", read_only=True)
    return {probe: store.read(probe) for probe in store.probes()}


def test_a_node_is_killed_and_its_run_goes_on_elsewhere(
    nodes: Nodes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rows are those of runs made here in one piece, bit for bit; and no checkpoint came twice: none began anew."""
    monkeypatch.setenv("RAY_ADDRESS", nodes.address)
    configs = grid(SLOW, seed=range(2))
    study = tmp_path / "study"
    came: dict[RunConfig, list[str]] = {config: [] for config in configs}
    lost = list(nodes.worker_nodes)

    def kill_a_node(_now: Progress) -> None:
        for config, names in came.items():
            names += [file.name for file in run_folder(study, config).glob("checkpoint/*") if file.name not in names]
        if lost and all(came.values()):
            nodes.remove_node(lost.pop(), allow_graceful=False)

    assert not run_all(configs, study, pool=RayPool(), checkpoint_every=0.1, report=kill_a_node)
    (failed,) = [record for record in read_records(study)[0].values() if record.failures]
    assert (failed.failures, failed.starts) == (1, 2)
    assert "worker died" in failed.error
    assert all(names == sorted(names) for names in came.values())
    assert json.loads((run_folder(study, configs[0]) / "environment.json").read_text())["node"] == socket.gethostname()
    assert_as_if_made_here(configs, study, tmp_path / "here")


def test_a_client_elsewhere_sends_the_data_along(nodes: Nodes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only this process knows where the pictures are; the nodes' runs of them have the rows of runs made here."""
    monkeypatch.setenv("CLINOMETER_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("CLINOMETER_DATA", str(tmp_path))
    make_parquet(tmp_path / "train.parquet")
    make_parquet(tmp_path / "test.parquet")
    pictures = TINY.vary(data="cifar10", in_channels=3, plan="vgg11", steps=4)
    configs = [pictures, pictures.vary(seed=1), TINY]
    assert not run_all(configs, tmp_path / "study", pool=RayPool(nodes.client, jobs=1))
    assert_as_if_made_here(configs, tmp_path / "study", tmp_path / "here")


def test_nobody_there_is_said_at_once() -> None:
    """A port that was free a moment ago: Ray itself would try for half a minute before it says so."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"ray://127.0.0.1:{free.getsockname()[1]}"
        with pytest.raises(ClusterError, match=f"nobody answers at {address}.*Expected the head of a Ray cluster"):
            RayPool(address)


def test_without_ray_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """As Python says it of a package that is not there."""
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ImportError, match=r"pip install 'clinometer\[ray\]'"):
        RayPool()


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"address": "rya"}, "--on must be ray, or ray://head:10001 for a cluster elsewhere; found rya"),
        ({"address": "ray://head:port"}, "found ray://head:port"),
        ({"cpus": 1.5}, "--cpus-per-run must be a part of one, or a whole number; found 1.5"),
        ({"gpus": -0.25}, "--gpus-per-run must be a part of one, or a whole number; found -0.25"),
        ({"cpus": 0.0}, "are both 0"),
    ],
)
def test_what_cannot_be_asked_for_is_refused(options: dict[str, Any], expected: str) -> None:
    """Before Ray is asked, which would wait for such a node for ever."""
    with pytest.raises(ClusterError, match=re.escape(expected)):
        RayPool(**options)


def test_a_parcel_holds_what_a_run_leaves_behind_and_nothing_else(tmp_path: Path) -> None:
    """What comes from a node is checked by name and by digest before a byte of it is written."""
    sound = b"a checkpoint"
    name = f"checkpoint/000000007-{hashlib.sha256(sound).hexdigest()[:16]}.safetensors"
    for hostile in (
        {"../../study.json": b"{}"},
        {"/etc/passwd": b""},
        {"checkpoint/../../x.safetensors": b""},
        {name: sound + b"!"},
        {"config.json": b"{}", "environment.json": b"{}", "rows.sqlite": b"", "done.json": b"[" * 100_000},
        {"rows.sqlite": b"", "done.json": b'{"files": {}}'},
    ):
        with pytest.raises(DamagedError, match="came"):
            unpack(hostile, tmp_path / "run")
        assert not list(tmp_path.iterdir())
    unpack({name: sound}, tmp_path / "run")
    assert (tmp_path / "run" / name).read_bytes() == sound


def test_wherever_unpacking_stops_the_run_can_be_gone_on_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk is full at each of the writes in turn: the older checkpoint is good for going on, or the new one is."""
    older, newer = (interrupted(tmp_path / "made", step) for step in (4, 8))
    for room in range(len(newer)):
        folder = tmp_path / str(room)
        unpack(older, folder)
        left = [transfer.write_bytes] * room
        with monkeypatch.context() as patch:
            patch.setattr(transfer, "write_bytes", lambda *to, left=left: left.pop()(*to))
            with pytest.raises(IndexError):
                unpack(newer, folder)
        assert step_of(folder) == 4
    unpack(newer, folder)
    assert step_of(folder) == 8


def test_a_run_that_goes_on_elsewhere_notes_both_places(tmp_path: Path) -> None:
    """What it was begun with is among the facts `before`; and it went on, for its rows are not written twice."""
    interrupted(tmp_path, 8, node="one")
    asked: list[int] = []
    whole = from_config.batches_of
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(from_config, "batches_of", lambda *args: (asked.append(args[3]), whole(*args))[1])
        run_group({TINY: tmp_path}, facts={TINY.key: {"node": "two", "fingerprint": "same"}})
    facts = json.loads((tmp_path / "environment.json").read_text())
    assert facts == {"node": "two", "fingerprint": "same", "before": [{"node": "one", "fingerprint": "same"}]}
    assert asked == [8]
    verify(tmp_path)


def test_nodes_with_another_torch_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A node that says so, which no node of this machine would: their runs would differ in their last bits."""
    silent = SimpleNamespace(put=lambda _: None, remote=lambda _: SimpleNamespace(options=lambda **_: None))
    monkeypatch.setattr(pool, "connect", lambda *_: (silent, lambda: None))
    with pytest.raises(ClusterError, match=f"there has torch 1.0, and here it is {re.escape(torch.__version__)}"):
        RayPool()._admit(pool._SlotHandle(None, None), Place("there", 1, "1.0"))


def test_a_node_with_other_code_says_what_differs_and_makes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The fingerprint that a run is asked for with is compared with the node's own."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    slot = Slot("cpu")
    facts = json.loads(json.dumps(fingerprint(TINY)))
    facts["code"]["clinometer.training.loop"] = "0123456789abcdef"
    task = Task((TINY,), tmp_path / "study", {TINY.key: {"fingerprint": facts}})
    with pytest.raises(RuntimeError, match=r"another run than asked for: code: clinometer\.training\.loop"):
        slot.start(task, {TINY.key: {}}, {})
    slot.stop()


def test_a_slot_clears_up_after_those_that_were_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that is killed leaves its folder; the next slot on the machine removes it, and no living one's."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    program = "import os; from clinometer.runner.ray.actor import Slot; slot = Slot('cpu'); os.kill(os.getpid(), 9)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == -9
    (left,) = tmp_path.iterdir()
    living = Slot("cpu")
    assert not left.exists()
    another = Slot("cpu")
    assert len(list(tmp_path.iterdir())) == 2
    living.stop()
    another.stop()
    assert not list(tmp_path.iterdir())


def interrupted(folder: Path, step: int, node: str = "one") -> Parcel:
    """A run that made checkpoints up to a step and went no further, packed."""
    whole = from_config.batches_of
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            from_config,
            "batches_of",
            lambda data, config, device, start: chain(islice(whole(data, config, device, start), step - start), [None]),
        )
        with pytest.raises(TypeError):
            run_group({TINY: folder}, every=0.0, facts={TINY.key: {"node": node, "fingerprint": "same"}})
    return pack(folder)


def step_of(folder: Path) -> int:
    found = Keeper(folder).find()
    assert found
    return found.step
