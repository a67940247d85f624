"""Data sets as tensors: digits, bundled; CIFAR-10, read from local Parquet files and cached once decoded.

Images stay in the bytes they came in and are normalised batch by batch. Files are measured before they are unpacked.
"""

import gzip
import hashlib
import io
import math
import os
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any
from zipfile import ZIP_STORED, ZipFile, ZipInfo

import numpy as np
import torch
from torch import Tensor

_TEST_DIGITS = 297  # the last ones, which leaves 1,500 to train on
_IMAGES = 60_000  # of CIFAR-10, in all
_BYTES = 2**30  # of its Parquet files, packed or unpacked: as PNG it takes a seventh of that
_BATCH = 200  # rows in memory at a time
_IMAGE_BYTES = 2**16  # of one packed image, which has 3,072 pixels' bytes
_HEADER = 128  # bytes before an array that NumPy writes
_ARRAYS = {"images": ("|u1", (3, 32, 32)), "labels": ("<i8", ()), "digest": ("|u1", ())}  # in the cache

Part = tuple[Tensor, Tensor, bytes]  # images, labels, and a digest of both


@dataclass(frozen=True)
class Dataset:
    """Images and labels for training and test."""

    name: str  # as it must stand beside any number
    train_images: Tensor  # (n, channels, side, side) uint8
    train_labels: Tensor  # (n,) int64
    test_images: Tensor  # (m, channels, side, side) uint8
    test_labels: Tensor  # (m,) int64
    mean: Tensor  # (channels, 1, 1) of the training images
    std: Tensor  # (channels, 1, 1)
    digest: str  # SHA-256 of all images and labels as they are here: other pixels are other data
    classes: int = 10

    def normalized(self, images: Tensor) -> Tensor:
        """Images as floats with mean 0 and variance 1 per channel over the training set."""
        return (images.float() - self.mean.to(images.device)) / self.std.to(images.device)


def digits() -> Dataset:
    """The 1,797 8×8 handwritten digits of the UCI repository, bundled (CC BY 4.0, see `digits/LICENSE.md`).

    Example:
        >>> digits().train_images.shape
        torch.Size([1500, 1, 8, 8])
    """
    packed = resources.files("clinometer.study").joinpath("digits/digits.csv.gz").read_bytes()
    table = np.loadtxt(io.StringIO(gzip.decompress(packed).decode()), delimiter=",", dtype=np.uint8)
    return _dataset("digits", _split(table[:-_TEST_DIGITS]), _split(table[-_TEST_DIGITS:]))


def cifar10(path: str | Path | None = None) -> Dataset:
    """CIFAR-10 from Parquet files with columns `img{bytes,path}` and `label`; decoded once, then cached.

    Args:
        path: A folder that holds `train*.parquet` and `test*.parquet`; by default the environment variable
            CLINOMETER_DATA. The cache is in CLINOMETER_CACHE, or ~/.cache/clinometer.

    Raises:
        ValueError: if the path is not given or not there, or a file is damaged or holds something else.
    """
    folder = data_path(path)
    return _dataset("CIFAR-10 (JPEG)", _decoded(folder, "train"), _decoded(folder, "test"))


DATASETS: Mapping[str, Callable[[], Dataset]] = {"digits": digits, "cifar10": cifar10}


def data_path(path: str | Path | None = None) -> Path:
    """The folder of the Parquet files: `path`, or what CLINOMETER_DATA says."""
    given = path or os.environ.get("CLINOMETER_DATA")
    if not given:
        raise ValueError(
            "CIFAR-10 is not bundled, and no path to it was given. Pass --data PATH, or set CLINOMETER_DATA, to a "
            "folder with train*.parquet and test*.parquet (columns img{bytes,path} and label)."
        )
    if not Path(given).is_dir():
        raise ValueError(f"no folder {str(given)!r}; expected one with train*.parquet and test*.parquet.")
    return Path(given)


def _split(table: np.ndarray[Any, Any]) -> Part:
    return _part(table[:, :64].reshape(-1, 1, 8, 8).copy(), table[:, 64].astype(np.int64))


def _part(images: np.ndarray[Any, Any], labels: np.ndarray[Any, Any]) -> Part:
    digest = hashlib.sha256(repr(images.shape).encode())
    digest.update(images.data)
    digest.update(labels.data)
    return torch.from_numpy(images), torch.from_numpy(labels), digest.digest()


def _dataset(name: str, train: Part, test: Part) -> Dataset:
    # In slices: 50,000 images as float64 at once would take 1.2 GB. Sums of bytes are exact in float64.
    per_channel = (0, 2, 3)
    parts = train[0].split(5_000)
    count = train[0].numel() / train[0].shape[1]
    mean = sum((p.double().sum(per_channel) for p in parts), torch.zeros(())) / count
    square = sum((p.double().square().sum(per_channel) for p in parts), torch.zeros(())) / count
    std = (square - mean.square()).sqrt()
    digest = hashlib.sha256(train[2] + test[2]).hexdigest()
    return Dataset(name, *train[:2], *test[:2], mean.float().view(-1, 1, 1), std.float().view(-1, 1, 1), digest)


def _decoded(folder: Path, part: str) -> Part:
    files = sorted(file for file in folder.glob(f"{part}*.parquet") if file.is_file())
    if not files:
        found = ", ".join(sorted(p.name for p in folder.iterdir())[:6]) or "nothing"
        raise ValueError(f"no {part}*.parquet in {str(folder)!r}; found {found}. Pass the folder that holds them.")
    if (size := sum(file.stat().st_size for file in files)) > _BYTES:
        raise ValueError(f"{folder}/{part}*.parquet take {size:,} bytes; CIFAR-10 takes less than {_BYTES:,}.")
    digest = hashlib.sha256()
    for file in files:
        with file.open("rb") as opened:
            while chunk := opened.read(2**20):
                digest.update(chunk)
    cached = _cache_folder() / f"cifar10-{part}-{digest.hexdigest()[:16]}.2.npz"
    if cached.is_file():
        try:
            return _cached(cached)
        except Exception as error:  # a zip file can be damaged in more ways than zipfile has names for
            warnings.warn(f"{cached} is damaged ({error}); it is made anew.", stacklevel=2)
    images, labels, digest = _part(*_read_parquet(files))
    _save(cached, images=images.numpy(), labels=labels.numpy(), digest=np.frombuffer(digest, np.uint8))
    return images, labels, digest


def _cached(path: Path) -> Part:
    """What `_save` wrote, and nothing else: zip's checksum of each array is compared as it is read."""
    with ZipFile(path) as archive:
        found = {info.filename: info for info in archive.infolist()}
        images, labels, digest = (_array(archive, found[f"{name}.npy"], *like) for name, like in _ARRAYS.items())
    if not len(images) == len(labels) or len(digest) != 32 or (labels >= 10).any() or (labels < 0).any():
        raise ValueError("its arrays do not belong together")
    return torch.from_numpy(images), torch.from_numpy(labels), digest.tobytes()


def _array(archive: ZipFile, info: ZipInfo, dtype: str, sides: tuple[int, ...]) -> np.ndarray[Any, Any]:
    count, rest = divmod(info.file_size - _HEADER, np.dtype(dtype).itemsize * math.prod(sides))
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": dtype, "fortran_order": False, "shape": (max(count, 0), *sides)}
    )
    if rest or not 0 < count <= _IMAGES or info.compress_type != ZIP_STORED:
        raise ValueError(f"{info.filename} is packed, or not as large as it should be")
    with archive.open(info) as file:
        # Not parsed but compared: nothing that a file declares is believed.
        if file.read(_HEADER) != header.getvalue():
            raise ValueError(f"{info.filename} has an unexpected header")
        return np.frombuffer(bytearray(file.read()), dtype).reshape(count, *sides)


def _read_parquet(files: list[Path]) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    images: list[np.ndarray[Any, Any]] = []
    labels: list[int] = []
    for file in files:
        for number, (cell, label) in enumerate(_rows(file)):
            images.append(_image(cell, f"{file}, row {number}"))
            labels.append(_label(label, f"{file}, row {number}"))
            if len(images) > _IMAGES:
                raise ValueError(f"{file}, row {number}: CIFAR-10 has {_IMAGES:,} images; here are more.")
    if not images:
        raise ValueError(f"{files[0]} holds no images.")
    return np.ascontiguousarray(np.stack(images).transpose(0, 3, 1, 2)), np.array(labels, np.int64)


def _rows(file: Path) -> Iterator[tuple[Any, Any]]:
    """The bytes and the label of each row, in batches: what a file unpacks to is never in memory at once."""
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
        from pyarrow import compute
    except ImportError as error:
        raise ValueError("reading CIFAR-10 needs pyarrow and pillow: pip install 'clinometer[data]'.") from error
    measure: Any = compute
    try:
        with pq.ParquetFile(file, page_checksum_verification=True) as parquet:
            about, kinds = parquet.metadata, {field.name: field.type for field in parquet.schema_arrow}
            size = sum(about.row_group(i).total_byte_size for i in range(about.num_row_groups))
            image, label = kinds.get("img", pa.null()), kinds.get("label", pa.null())
            if not (
                pa.types.is_struct(image) and "bytes" in image.names and pa.types.is_binary(image.field("bytes").type)
            ):
                raise _MisfitError(f"holds the columns {kinds}; expected img{{bytes,path}} and label")
            if not pa.types.is_integer(label):
                raise _MisfitError(f"holds labels of type {label}; expected integers from 0 to 9")
            if not (0 <= about.num_rows <= _IMAGES and 0 <= size <= _BYTES):
                raise _MisfitError(
                    f"declares {about.num_rows:,} rows and {size:,} bytes, which is more than CIFAR-10 has"
                )
            # Few at a time: one value may be stored once and be that of every row.
            for batch in parquet.iter_batches(_BATCH, columns=["img.bytes", "label"], use_threads=False):
                cells: Any = batch["img"].field("bytes")
                if (measure.max(measure.binary_length(cells)).as_py() or 0) > _IMAGE_BYTES:
                    raise _MisfitError(f"holds an image of more than {_IMAGE_BYTES:,} bytes")
                yield from zip(cells.to_pylist(), batch["label"].to_pylist(), strict=True)
    except _MisfitError as error:
        raise ValueError(f"{file} {error}.") from error
    except Exception as error:  # pyarrow has an error of its own for each of the ways
        raise ValueError(f"{file} is not a readable Parquet file: {error}") from error


class _MisfitError(Exception):
    """What is wrong with a file that can be read."""


def _image(cell: Any, where: str) -> np.ndarray[Any, Any]:
    from PIL import Image

    try:
        # No other formats: some are programs, which Pillow would have run.
        with Image.open(io.BytesIO(cell), formats=("JPEG", "PNG")) as image:
            size = image.size  # from the header: a hostile file is refused before it is unpacked
            pixels = np.asarray(image.convert("RGB")) if size == (32, 32) else None
    except Exception as error:  # Pillow's decoders raise whatever went wrong in them
        raise ValueError(f"{where}: `img.bytes` does not hold an image: {error}") from error
    if pixels is None:
        raise ValueError(f"{where}: expected an image of 32×32; found {size[0]}×{size[1]}.")
    return pixels


def _label(cell: Any, where: str) -> int:
    if not isinstance(cell, int) or not 0 <= cell < 10:
        raise ValueError(f"{where}: expected a label from 0 to 9; found {cell!r}.")
    return cell


def _cache_folder() -> Path:
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("CLINOMETER_CACHE") or Path(home) / "clinometer")


def _save(path: Path, **arrays: np.ndarray[Any, Any]) -> None:
    # Two processes may do this at once: each writes its own file, and the rename is atomic.
    partial = path.with_suffix(f".{os.getpid()}.npz")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez(partial, allow_pickle=False, **arrays)
        partial.replace(path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise ValueError(
            f"the decoded images cannot be kept in {path.parent}: {error}. Set CLINOMETER_CACHE to another folder."
        ) from error
