"""Everything that reads a file: how a valid one is made, how it is read, and what a right answer is.

`test_hostile.py` changes the files and reads them. A new loader is one row of `LOADERS`.
"""

import io
import shutil
import tempfile
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from clinometer import Recorder, Store, landscape
from clinometer.runner.records import RunRecord, read_record, write_record
from clinometer.training import checkpoint, keeper, run_folder
from clinometer.training.data import datasets as data
from clinometer.training.data import parquet
from clinometer.training.files import read_json, read_sealed, write_json, write_sealed


@dataclass(frozen=True)
class Loader:
    """Something that reads a file."""

    file: str
    make: Callable[[Path], object]  # write a valid file; returns its path if that is another
    load: Callable[[Path], Any]
    right: Callable[[Any, Any], bool]  # of what was read from a changed file, and from the valid one
    examples: int = 400
    refusals: tuple[type[Exception], ...] = ()  # besides ValueError and OSError


def make_store(path: Path) -> None:
    store = Store(path)
    for step in range(20):
        store.append(step, {"p": {"x": np.arange(3) + step, "layer": ["a", "bc"]}, "q": {"y": 0.5 + step}})
    store.append(99, {"big": {"z": np.arange(600.0)}})
    store.set_meta(ended=True, note="n")
    store.seal()
    store.close()


def load_store(path: Path) -> object:
    with closing(Store(path, read_only=True)) as store:
        rows = [
            (probe, step, name, array.dtype, array.tobytes())
            for probe, steps in store.rows().items()
            for step, row in steps.items()
            for name, array in row.items()
        ]
        return rows, store.probes(), store.last_step(), store.meta, list(store.rows("q", start=7))


def make_json(path: Path) -> None:
    write_json(path, {"lr": 0.1, "norm": "batch", "seed": 3, "nested": {"a": [1, None, "é"]}})


def make_done(path: Path) -> None:
    for name in run_folder.FILES:
        (path.parent / name).write_text(f"the {name} of a run")
    run_folder.finish(path.parent)


IMAGES = np.random.default_rng(0).integers(0, 256, (3, 3, 32, 32), dtype=np.uint8)


def make_cache(path: Path) -> None:
    images, labels, digest = data._part(IMAGES, np.arange(3))
    np.savez(path, images=images.numpy(), labels=labels.numpy(), digest=np.frombuffer(digest, np.uint8))


def make_parquet(path: Path) -> None:
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    image = pytest.importorskip("PIL.Image")
    cells: list[dict[str, object]] = []
    for pixels in IMAGES:
        image.fromarray(pixels.transpose(1, 2, 0)).save(file := io.BytesIO(), "PNG")
        cells.append({"bytes": file.getvalue(), "path": "x"})
    pq.write_table(pa.table({"img": cells, "label": [0, 1, 2]}), path, write_page_checksum=True)


def make_checkpoint(path: Path) -> Path:
    """Its name is not known before it is made."""
    model = nn.Linear(2, 3)
    optimizer = torch.optim.Adam(model.parameters())
    model(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    recorder = Recorder(model, lambda m, b: m(b).sum(), [landscape()], optimizer=optimizer)
    keeper.Keeper(path.parent.parent).save(checkpoint.Checkpoint.of(3, model, optimizer, recorder))
    (made,) = path.parent.iterdir()
    return made


def load_checkpoint(path: Path) -> object:
    tensors: dict[str, torch.Tensor] = {}
    facts = vars(checkpoint.read_checkpoint(path))
    return checkpoint._packed(facts | {"rng": vars(facts["rng"])}, tensors), [t.tolist() for t in tensors.values()]


def load_forged(path: Path) -> object:
    """The same under the name that its bytes ask for, whatever they are."""
    with tempfile.TemporaryDirectory() as folder:
        forged = Path(folder, f"000000003-{checkpoint.digest_of_file(path.read_bytes())}.safetensors")
        return checkpoint.read_checkpoint(Path(shutil.copy(path, forged)))


def make_record(path: Path) -> None:
    record = RunRecord(path.stem, {"lr": 0.1, "seed": 3}).started("here:1").failed("ValueError: é")
    write_record(path.parent.parent, record)


def load_arrays(read: Callable[[Path], Any]) -> Callable[[Path], Any]:
    return lambda path: [np.asarray(each).tobytes() for each in read(path)[:2]]


def equal(found: object, truth: object) -> bool:
    return found == truth


LOADERS = {
    "store": Loader("rows.sqlite", make_store, load_store, equal, 800),
    # JSON has no checksum: whether it is what was written, done.json says. Here: an object, or refused.
    "json": Loader("study.json", make_json, read_json, lambda found, _: isinstance(found, dict)),
    "sealed": Loader("study.json", lambda path: write_sealed(path, {"lr": 0.1, "only": "é"}), read_sealed, equal),
    "record": Loader(
        "records/0000000000000001.json", make_record, lambda path: read_record(path.parent.parent, path.stem), equal
    ),
    "checkpoint": Loader("checkpoint/made", make_checkpoint, load_checkpoint, equal),
    # Who forges a name can forge what is in the file; but it is a checkpoint, or it is refused.
    "forged": Loader(
        "checkpoint/made", make_checkpoint, load_forged, lambda found, _: isinstance(found, checkpoint.Checkpoint)
    ),
    # It names the digests of three files that are whole: changed, it may say so, or be refused.
    "done": Loader("done.json", make_done, lambda path: run_folder.verify(path.parent), equal),
    # Its reader is called by one that takes any exception for damage, and makes the cache anew.
    "cache": Loader(
        *("cifar10.npz", make_cache, load_arrays(data._cached), equal),
        refusals=(Exception,),
    ),
    # Rows may be missing, which the data's digest tells; each that is there is one of those that were written.
    "parquet": Loader(
        "train.parquet",
        make_parquet,
        lambda path: {image.tobytes() for image in parquet.read_parquet([path])[0]},
        lambda found, truth: found <= truth,
    ),
}
