import io
import os
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from clinometer.training.data.datasets import cifar10, digits

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")
Image = pytest.importorskip("PIL.Image")


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLINOMETER_CACHE", str(tmp_path / "cache"))


def png(pixels: np.ndarray[Any, Any], kind: str = "PNG") -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind)
    return file.getvalue()


def write(folder: Path, images: list[object], labels: list[object], parts: tuple[str, ...] = ("train", "test")) -> Path:
    folder.mkdir(exist_ok=True)
    for part in parts:
        rows = [{"bytes": data, "path": "x.png"} for data in images]
        pq.write_table(pa.table({"img": rows, "label": labels}), folder / f"{part}-00000-of-00001.parquet")
    return folder


def random_images(n: int) -> np.ndarray[Any, Any]:
    return np.random.default_rng(0).integers(0, 256, (n, 32, 32, 3), dtype=np.uint8)


def test_digits_are_the_ucis() -> None:
    """Facts that the UCI repository and scikit-learn publish: 1,797 images, values 0 to 16, these counts per class."""
    data = digits()
    labels = torch.cat([data.train_labels, data.test_labels])
    assert labels.bincount().tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    assert (data.train_images.min().item(), data.train_images.max().item()) == (0, 16)
    assert len(data.test_labels) == 297


def test_normalized_images_have_mean_0_and_variance_1() -> None:
    """By definition, over the training set; float32 sums of 96,000 values round to 1e-4."""
    data = digits()
    x = data.normalized(data.train_images)
    assert x.mean().item() == pytest.approx(0, abs=1e-4)
    assert x.var(correction=0).item() == pytest.approx(1, abs=1e-4)


def test_parquet_is_decoded_exactly_and_only_once(tmp_path: Path) -> None:
    """PNG is lossless, so the pixels that were written are the truth; the second read comes from the cache."""
    pixels = random_images(6)
    folder = write(tmp_path / "data", [png(p) for p in pixels], [0, 1, 2, 3, 4, 9])
    data = cifar10(folder)
    assert torch.equal(data.train_images, torch.from_numpy(pixels).permute(0, 3, 1, 2))
    assert data.test_labels.tolist() == [0, 1, 2, 3, 4, 9]
    torch.testing.assert_close(data.mean.flatten(), torch.from_numpy(pixels).double().mean((0, 1, 2)).float())
    cached = sorted((tmp_path / "cache").iterdir())
    stamps = [path.stat().st_mtime_ns for path in cached]
    assert torch.equal(cifar10(folder).train_images, data.train_images)
    assert [path.stat().st_mtime_ns for path in cached] == stamps
    cached[0].write_bytes(cached[0].read_bytes()[:200])
    with pytest.warns(UserWarning, match="is damaged"):
        assert torch.equal(cifar10(folder).test_images, data.test_images)


def test_other_files_of_the_same_name_are_not_served_from_the_cache(tmp_path: Path) -> None:
    """The cache is keyed by the content, not by the path."""
    first = write(tmp_path / "a", [png(p) for p in random_images(2)], [0, 1])
    assert cifar10(first).train_labels.tolist() == [0, 1]
    write(first, [png(p) for p in random_images(2)], [7, 8])
    assert cifar10(first).train_labels.tolist() == [7, 8]


def test_a_missing_path_is_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each way of not having the data says what to pass."""
    monkeypatch.delenv("CLINOMETER_DATA", raising=False)
    with pytest.raises(ValueError, match="Pass --data PATH, or set CLINOMETER_DATA"):
        cifar10()
    with pytest.raises(ValueError, match=r"no folder .*nowhere"):
        cifar10(tmp_path / "nowhere")
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(ValueError, match=r"no train\*\.parquet in .*; found notes.txt"):
        cifar10(tmp_path)


def good() -> bytes:
    return png(random_images(1)[0])


@pytest.mark.parametrize(
    ("images", "labels", "words"),
    [
        ([b"not an image"], [0], r"train-00000-of-00001.parquet, row 0: `img.bytes` does not hold an image"),
        ([good(), good()[:80]], [0, 1], "row 1"),
        ([png(np.zeros((16, 16, 3), np.uint8))], [0], "expected an image of 32×32; found 16×16"),
        ([good()], [10], "label from 0 to 9; found 10"),
        ([good()], ["cat"], "labels of type string; expected integers from 0 to 9"),
        ([good()], [None], "labels of type null"),
        ([good(), good()], [0, None], "row 1: expected a label from 0 to 9; found None"),
        ([good(), None], [0, 0], "row 1: `img.bytes` does not hold an image"),
        (["text"], [0], r"expected img\{bytes,path\} and label"),
        ([bytes(2**16 + 1)], [0], "image of more than 65,536 bytes"),
    ],
)
def test_bad_rows_are_named(tmp_path: Path, images: list[object], labels: list[object], words: str) -> None:
    """The file and the row, so that it can be mended; nothing reaches the cache."""
    with pytest.raises(ValueError, match=words):
        cifar10(write(tmp_path / "data", images, labels))
    assert not (tmp_path / "cache").exists()


def test_damaged_and_foreign_files_are_named(tmp_path: Path) -> None:
    """A truncated Parquet file, and one that holds a table of something else."""
    folder = write(tmp_path / "data", [good()], [0])
    path = folder / "train-00000-of-00001.parquet"
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(ValueError, match="not a readable Parquet file"):
        cifar10(folder)
    pq.write_table(pa.table({"price": [1.0]}), path)
    with pytest.raises(ValueError, match=r"holds the columns .'price'.*; expected img\{bytes,path\} and label"):
        cifar10(folder)


def test_the_digest_is_of_every_pixel_and_label(tmp_path: Path) -> None:
    """Another pixel, label or order is another digest; another file, cache or batch of the same pixels is not."""
    pixels = random_images(4)
    folder = write(tmp_path / "a", [png(p) for p in pixels], [0, 1, 2, 3])
    digest = cifar10(folder).digest
    assert digest == cifar10(folder).digest, "from the cache"
    found = {digest, digits().digest}
    other = pixels.copy()
    other[2, 5, 5, 1] ^= 1
    for number, (images, labels) in enumerate(
        [(other, [0, 1, 2, 3]), (pixels, [0, 1, 2, 4]), (pixels[::-1], [3, 2, 1, 0])]
    ):
        found.add(cifar10(write(tmp_path / str(number), [png(p) for p in images], [*labels])).digest)
    assert len(found) == 5
    again = write(tmp_path / "b", [png(p) for p in pixels], [0, 1, 2, 3])
    for file in again.iterdir():
        pq.write_table(pq.read_table(file), file, compression="gzip", row_group_size=3)
    assert cifar10(again).digest == digest
    assert digits().digest == "6a3c10165351dc3613203971459c018bd8845d0af09100326503c8fe897e4f26"


def test_no_flipped_byte_gives_other_pixels_under_the_same_digest(tmp_path: Path) -> None:
    """In Parquet: refused, or the digest tells, or it did not matter. In the cache: the pixels are the right ones."""
    # JPEG has no checksum of its own, as PNG does, which Pillow compares.
    folder = write(tmp_path / "data", [png(p, "JPEG") for p in random_images(2)], [3, 4])
    truth = cifar10(folder)
    draw = np.random.default_rng(0)
    found = {"refused": 0, "told": 0, "same": 0, "mended": 0}
    caches = sorted((tmp_path / "cache").iterdir())
    files = sorted(folder.iterdir())
    for file in (files[0], caches[0]):
        sound = file.read_bytes()
        for position in draw.choice(len(sound), 250, replace=False):
            changed = bytearray(sound)
            changed[position] ^= 1 << draw.integers(8)
            file.write_bytes(changed)
            with warnings.catch_warnings(record=True) as warned:
                warnings.simplefilter("always")
                try:
                    data = cifar10(folder)
                except ValueError:
                    found["refused"] += 1
                    continue
            same = torch.equal(data.test_images, truth.test_images) and torch.equal(data.test_labels, truth.test_labels)
            assert same == (data.digest == truth.digest)
            assert same or file in files
            found["mended" if warned else "same" if same else "told"] += 1
        file.write_bytes(sound)
    assert found["refused"] > 10
    assert found["told"] > 10
    assert found["mended"] > 100


@pytest.mark.cifar
@pytest.mark.skipif(not os.environ.get("CLINOMETER_DATA"), reason="CLINOMETER_DATA does not name CIFAR-10")
def test_cifar10_is_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """Krizhevsky's facts: 50,000 and 10,000 images, 5,000 and 1,000 per class, and the mean that everybody quotes."""
    data = cifar10()
    assert data.train_labels.bincount().tolist() == [5000] * 10
    assert data.test_labels.bincount().tolist() == [1000] * 10
    # (125.3, 123.0, 113.9) for the original pixels; JPEG moves a mean by far less than one level.
    torch.testing.assert_close(data.mean.flatten(), torch.tensor([125.3, 123.0, 113.9]), atol=0.5, rtol=0)
