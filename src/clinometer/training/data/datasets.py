"""Data sets as tensors: digits, which is bundled, and CIFAR-10, read from local Parquet files and cached once decoded.

Images stay uint8 and are normalised batch by batch. The sizes of files are checked before they are unpacked.
"""

import gzip
import hashlib
import io
import math
import os
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any
from zipfile import ZIP_STORED, ZipFile, ZipInfo

import numpy as np
import torch
from torch import Tensor

from clinometer.training.data.folders import cache_folder, data_path
from clinometer.training.data.parquet import BYTES, IMAGES, read_parquet

_TEST_DIGITS = 297  # the last 297 of 1,797, which leaves 1,500 to train on
_HEADER = 128  # bytes of the header that NumPy writes before an array
_ARRAYS = {"images": ("|u1", (3, 32, 32)), "labels": ("<i8", ()), "digest": ("|u1", ())}  # in the cache

Part = tuple[Tensor, Tensor, bytes]  # images, labels, and a digest of both


@dataclass(frozen=True)
class Dataset:
    """Images and labels for training and test."""

    name: str  # to be printed beside every number
    train_images: Tensor  # (n, channels, side, side) uint8
    train_labels: Tensor  # (n,) int64
    test_images: Tensor  # (m, channels, side, side) uint8
    test_labels: Tensor  # (m,) int64
    mean: Tensor  # (channels, 1, 1) of the training images
    std: Tensor  # (channels, 1, 1)
    digest: str  # SHA-256 of all images and labels: it changes with any pixel
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
    packed = resources.files("clinometer.training.data").joinpath("digits/digits.csv.gz").read_bytes()
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


def decoded(path: str | Path | None = None) -> dict[str, Path]:
    """CIFAR-10's cached files, by the names under which `cifar10` reads them from a data folder."""
    cifar10(path)
    return {f"{part}.npz": _cached_as(data_path(path), part) for part in ("train", "test")}


TO_SEND: Mapping[str, Callable[[], dict[str, Path]]] = {"cifar10": decoded}  # files to send to other machines


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
    if (sent := folder / f"{part}.npz").is_file():
        try:
            return _cached(sent)
        except Exception as error:  # zipfile raises errors of many types for damaged files
            raise ValueError(f"{sent} is damaged: {error}. Delete it.") from error
    cached = _cached_as(folder, part)
    if cached.is_file():
        try:
            return _cached(cached)
        except Exception as error:
            warnings.warn(f"{cached} is damaged ({error}); it is made anew.", stacklevel=2)
    images, labels, digest = _part(*read_parquet(_parquet(folder, part)))
    _save(cached, images=images.numpy(), labels=labels.numpy(), digest=np.frombuffer(digest, np.uint8))
    return images, labels, digest


def _parquet(folder: Path, part: str) -> list[Path]:
    files = sorted(file for file in folder.glob(f"{part}*.parquet") if file.is_file())
    if not files:
        names = ", ".join(sorted(p.name for p in folder.iterdir())[:6]) or "nothing"
        raise ValueError(f"no {part}*.parquet in {str(folder)!r}; found {names}. Pass the folder that holds them.")
    if (size := sum(file.stat().st_size for file in files)) > BYTES:
        raise ValueError(f"{folder}/{part}*.parquet take {size:,} bytes; CIFAR-10 takes less than {BYTES:,}.")
    return files


def _cached_as(folder: Path, part: str) -> Path:
    digest = hashlib.sha256()
    for file in _parquet(folder, part):
        with file.open("rb") as opened:
            while chunk := opened.read(2**20):
                digest.update(chunk)
    return cache_folder() / f"cifar10-{part}-{digest.hexdigest()[:16]}.2.npz"


def _cached(path: Path) -> Part:
    """Read what `_save` wrote, and raise on anything else; zipfile compares the checksum of each array."""
    with ZipFile(path) as archive:
        members = {info.filename: info for info in archive.infolist()}
        images, labels, digest = (_array(archive, members[f"{name}.npy"], *like) for name, like in _ARRAYS.items())
    if not len(images) == len(labels) or len(digest) != 32 or (labels >= 10).any() or (labels < 0).any():
        raise ValueError("its arrays do not belong together")
    return torch.from_numpy(images), torch.from_numpy(labels), digest.tobytes()


def _array(archive: ZipFile, info: ZipInfo, dtype: str, sides: tuple[int, ...]) -> np.ndarray[Any, Any]:
    count, rest = divmod(info.file_size - _HEADER, np.dtype(dtype).itemsize * math.prod(sides))
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": dtype, "fortran_order": False, "shape": (max(count, 0), *sides)}
    )
    if rest or not 0 < count <= IMAGES or info.compress_type != ZIP_STORED:
        raise ValueError(f"{info.filename} is packed, or not as large as it should be")
    with archive.open(info) as file:
        # The header is compared, not parsed: the type and shape that a file declares are not trusted.
        if file.read(_HEADER) != header.getvalue():
            raise ValueError(f"{info.filename} has an unexpected header")
        return np.frombuffer(bytearray(file.read()), dtype).reshape(count, *sides)


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
