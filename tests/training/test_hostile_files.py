"""Caches, Parquet files, images and JSON that were made to do harm: refused before they are unpacked."""

import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hostile import make_cache

from clinometer.store import DamagedError
from clinometer.training.data import datasets as data
from clinometer.training.data import parquet
from clinometer.training.files import read_json


def bomb(path: Path, **members: bytes) -> None:
    """The cache's arrays, packed, or others under their names."""
    make_cache(path)
    with zipfile.ZipFile(path) as archive:
        held = {info.filename: archive.read(info) for info in archive.infolist()}
    kind = zipfile.ZIP_DEFLATED if not members else zipfile.ZIP_STORED
    with zipfile.ZipFile(path, "w", kind) as archive:
        for name, value in (held | {f"{name}.npy": value for name, value in members.items()}).items():
            archive.writestr(name, value)


def header(text: str) -> bytes:
    return b"\x93NUMPY\x01\0" + (118).to_bytes(2, "little") + text.ljust(117).encode() + b"\n"


@pytest.mark.parametrize(
    "members",
    [
        {},
        {"images": header("{'descr': '|u1', 'fortran_order': False, 'shape': (999999999, 3, 32, 32), }") + bytes(3072)},
        {"images": header("{'descr': '|O', 'fortran_order': False, 'shape': (1, 3, 32, 32), }") + bytes(3072)},
        {"images": header("{'descr': '|u1', 'fortran_order': False, 'shape': (-1, 3, 32, 32), }") + bytes(3072)},
        {"images": header("(" * 117) + bytes(3072)},
        {"images": b""},
        {"labels": header("{'descr': '<i8', 'fortran_order': False, 'shape': (1,), }") + bytes(8)},
        {"labels": header("{'descr': '<i8', 'fortran_order': False, 'shape': (3,), }") + b"\x0a" * 24},
        {"digest": b"cos\nsystem\n(S'true'\ntR."},
    ],
    ids=range(9),
)
def test_a_hostile_cache_is_refused_before_it_is_unpacked(members: dict[str, bytes], tmp_path: Path) -> None:
    """Packed members, headers that declare other arrays, pickles: refused, in little memory."""
    bomb(tmp_path / "c.npz", **members)
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=r"packed, or not as large|unexpected header|do not belong together"):
            data._cached(tmp_path / "c.npz")
        assert tracemalloc.get_traced_memory()[1] < 2e6
    finally:
        tracemalloc.stop()


def test_parquet_that_unpacks_to_too_much_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By what the file declares of itself: more rows than CIFAR-10 has, or far more bytes than lie there.

    The limit is lowered from a gigabyte, which would take seconds to pack.
    """
    monkeypatch.setattr(parquet, "BYTES", 2**21)
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "train.parquet"
    cell = pa.array([{"bytes": b"x", "path": "x"}])
    many = pa.table({"img": cell.take(pa.array([0] * 60_001)), "label": np.zeros(60_001, int)})
    pq.write_table(many, path)
    with pytest.raises(ValueError, match="declares 60,001 rows"):
        parquet.read_parquet([path])
    long = pa.table({"img": pa.array([{"bytes": bytes(2**20), "path": "x"}]), "label": [0]})
    with pq.ParquetWriter(path, long.schema, compression="zstd", use_dictionary=False) as writer:
        for _ in range(3):
            writer.write_table(long)
    assert path.stat().st_size < 1e4
    with pytest.raises(ValueError, match=r"declares 3 rows and 3,.* bytes, which is more than CIFAR-10 has"):
        parquet.read_parquet([path])


@pytest.mark.parametrize("kind", ["PNG", "GIF", "EPS"])
def test_an_image_that_unpacks_to_too_much_is_refused(kind: str) -> None:
    """By the size in its header; and formats other than PNG and JPEG are not even opened: PostScript is a program."""
    header = {
        "PNG": b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\1\0\0\0\1\0\0\x08\x02\0\0\0\xda\xd2\xf7\x80",
        "GIF": b"GIF89a\x20\0\x20\0\0\0\0",
        "EPS": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 32 32\n",
    }[kind]
    with pytest.raises(ValueError, match=r"row 0: (expected an image of 32×32|`img\.bytes` does not hold an image)"):
        parquet._image(header, "row 0")


@pytest.mark.parametrize(
    "text",
    ["[" * 100_000, "[1]", "", "\ufeff{}", '{"a": ' + "9" * 5000 + "}", "{}" + " " * 2**24, "\udcff", '{"a"', "{}{}"],
)
def test_hostile_json_is_refused(text: str, tmp_path: Path) -> None:
    """Deep nesting, huge numbers and files, other encodings, and what is no object."""
    (tmp_path / "study.json").write_text(text, encoding="utf-8", errors="surrogateescape")
    with pytest.raises(DamagedError, match=r"study\.json is damaged"):
        read_json(tmp_path / "study.json")
