"""Data sets as tensors: digits, bundled; CIFAR-10, read from local Parquet files and cached once decoded.

Images stay in the bytes they came in and are normalised batch by batch.
"""

import gzip
import hashlib
import io
import os
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import torch
from torch import Tensor

_TEST_DIGITS = 297  # the last ones, which leaves 1,500 to train on


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
    train, test = (_decoded(folder, part) for part in ("train", "test"))
    return _dataset("CIFAR-10 (JPEG)", train, test)


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


def _split(table: np.ndarray[Any, Any]) -> tuple[Tensor, Tensor]:
    images = torch.from_numpy(table[:, :64].copy()).view(-1, 1, 8, 8)
    return images, torch.from_numpy(table[:, 64].astype(np.int64))


def _dataset(name: str, train: tuple[Tensor, Tensor], test: tuple[Tensor, Tensor]) -> Dataset:
    # In slices: 50,000 images as float64 at once would take 1.2 GB. Sums of bytes are exact in float64.
    per_channel = (0, 2, 3)
    parts = train[0].split(5_000)
    count = train[0].numel() / train[0].shape[1]
    mean = sum((p.double().sum(per_channel) for p in parts), torch.zeros(())) / count
    square = sum((p.double().square().sum(per_channel) for p in parts), torch.zeros(())) / count
    std = (square - mean.square()).sqrt()
    return Dataset(name, *train, *test, mean.float().view(-1, 1, 1), std.float().view(-1, 1, 1))


def _decoded(folder: Path, part: str) -> tuple[Tensor, Tensor]:
    files = sorted(folder.glob(f"{part}*.parquet"))
    if not files:
        found = ", ".join(sorted(p.name for p in folder.iterdir())[:6]) or "nothing"
        raise ValueError(f"no {part}*.parquet in {str(folder)!r}; found {found}. Pass the folder that holds them.")
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.read_bytes())
    cached = _cache_folder() / f"cifar10-{part}-{digest.hexdigest()[:16]}.npz"
    if cached.is_file():
        try:
            with cached.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
                return torch.from_numpy(arrays["images"]), torch.from_numpy(arrays["labels"])
        except (OSError, ValueError, KeyError, BadZipFile) as error:
            warnings.warn(f"{cached} is damaged ({error}); it is made anew.", stacklevel=2)
    images, labels = _read_parquet(files)
    _save(cached, images=images.numpy(), labels=labels.numpy())
    return images, labels


def _read_parquet(files: list[Path]) -> tuple[Tensor, Tensor]:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise ValueError("reading CIFAR-10 needs pyarrow and pillow: pip install 'clinometer[data]'.") from error
    images: list[np.ndarray[Any, Any]] = []
    labels: list[int] = []
    for file in files:
        try:
            table: Any = pq.read_table(file)
        except (pa.ArrowInvalid, OSError) as error:
            raise ValueError(f"{file} is not a readable Parquet file: {error}") from error
        if not {"img", "label"} <= set(table.column_names):
            raise ValueError(
                f"{file} holds the columns {', '.join(table.column_names)}; expected img{{bytes,path}} and label."
            )
        for number, row in enumerate(zip(table["img"].to_pylist(), table["label"].to_pylist(), strict=True)):
            images.append(_image(row[0], f"{file}, row {number}"))
            labels.append(_label(row[1], f"{file}, row {number}"))
    return torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).contiguous(), torch.tensor(labels)


def _image(cell: Any, where: str) -> np.ndarray[Any, Any]:
    from PIL import Image, UnidentifiedImageError

    try:
        image = Image.open(io.BytesIO(cell["bytes"]))
        if image.size != (32, 32):  # known from the header: a hostile file is refused before it is unpacked
            raise ValueError(f"{where}: expected an image of 32×32; found {image.size[0]}×{image.size[1]}.")
        return np.asarray(image.convert("RGB"))
    except (TypeError, KeyError, OSError, SyntaxError, UnidentifiedImageError) as error:
        raise ValueError(f"{where}: `img.bytes` does not hold an image: {error}") from error


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
