"""Reads CIFAR-10's Parquet files without trusting them: sizes are checked before data are unpacked."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

IMAGES = 60_000  # in CIFAR-10
BYTES = 2**30  # limit for its Parquet files, packed or unpacked: as PNG it takes a seventh of that
_BATCH = 200  # rows in memory at a time
_IMAGE_BYTES = 2**16  # limit for one packed image, which unpacks to 3,072 bytes


def read_parquet(files: list[Path]) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Read images (n, 3, 32, 32) and labels (n,) from Parquet files.

    Raises:
        ValueError: if a file is damaged, or holds something else.
    """
    images: list[np.ndarray[Any, Any]] = []
    labels: list[int] = []
    for file in files:
        for number, (cell, label) in enumerate(_rows(file)):
            images.append(_image(cell, f"{file}, row {number}"))
            labels.append(_label(label, f"{file}, row {number}"))
            if len(images) > IMAGES:
                raise ValueError(f"{file}, row {number}: CIFAR-10 has {IMAGES:,} images; here are more.")
    if not images:
        raise ValueError(f"{files[0]} holds no images.")
    return np.ascontiguousarray(np.stack(images).transpose(0, 3, 1, 2)), np.array(labels, np.int64)


def _rows(file: Path) -> Iterator[tuple[Any, Any]]:
    """The image bytes and the label of each row. Rows are read in batches, so a file is never unpacked whole."""
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
                pa.types.is_struct(image)
                and image.get_field_index("bytes") >= 0
                and pa.types.is_binary(image.field("bytes").type)
            ):
                raise _MisfitError(f"holds the columns {kinds}; expected img{{bytes,path}} and label")
            if not pa.types.is_integer(label):
                raise _MisfitError(f"holds labels of type {label}; expected integers from 0 to 9")
            if not (0 <= about.num_rows <= IMAGES and 0 <= size <= BYTES):
                raise _MisfitError(
                    f"declares {about.num_rows:,} rows and {size:,} bytes, which is more than CIFAR-10 has"
                )
            # Few rows at a time: a value that is stored once may unpack into every row.
            for batch in parquet.iter_batches(_BATCH, columns=["img.bytes", "label"], use_threads=False):
                cells: Any = batch["img"].field("bytes")
                if (measure.max(measure.binary_length(cells)).as_py() or 0) > _IMAGE_BYTES:
                    raise _MisfitError(f"holds an image of more than {_IMAGE_BYTES:,} bytes")
                yield from zip(cells.to_pylist(), batch["label"].to_pylist(), strict=True)
    except _MisfitError as error:
        raise ValueError(f"{file} {error}.") from error
    except Exception as error:  # pyarrow raises errors of many types
        raise ValueError(f"{file} is not a readable Parquet file: {error}") from error


class _MisfitError(Exception):
    """A readable file that is not CIFAR-10; the message follows the file's name."""


def _image(cell: Any, where: str) -> np.ndarray[Any, Any]:
    from PIL import Image

    try:
        # No other formats: for EPS, Pillow would run a program on the file.
        with Image.open(io.BytesIO(cell), formats=("JPEG", "PNG")) as image:
            size = image.size  # from the header: another size is refused before it is unpacked
            pixels = np.asarray(image.convert("RGB")) if size == (32, 32) else None
    except Exception as error:  # Pillow's decoders raise errors of many types
        raise ValueError(f"{where}: `img.bytes` does not hold an image: {error}") from error
    if pixels is None:
        raise ValueError(f"{where}: expected an image of 32×32; found {size[0]}×{size[1]}.")
    return pixels


def _label(cell: Any, where: str) -> int:
    if not isinstance(cell, int) or not 0 <= cell < 10:
        raise ValueError(f"{where}: expected a label from 0 to 9; found {cell!r}.")
    return cell
