"""Files that were changed at random, given to everything that reads files."""

import warnings
from pathlib import Path

import pytest
from hostile import LOADERS
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

CHANGES = st.lists(
    st.tuples(
        st.sampled_from(["flip", "set", "cut", "repeat", "insert", "zero", "end"]),
        st.floats(0, 1, exclude_max=True),
        st.integers(1, 255),
        st.sampled_from([1, 2, 4, 8, 100, 4096]),
    ),
    min_size=1,
    max_size=3,
)


def changed(held: bytes, changes: list[tuple[str, float, int, int]]) -> bytes:
    """`held`, with each change at its place."""
    out = bytearray(held)
    for kind, where, byte, length in changes:
        at = int(where * len(out))
        if kind == "flip" and out:
            out[at] ^= byte
        elif kind in ("set", "zero"):
            out[at : at + length] = (b"\xff" if kind == "set" else b"\0") * len(out[at : at + length])
        elif kind == "cut":
            del out[at : at + length]
        elif kind == "repeat":
            out[at:at] = out[at : at + length]
        elif kind == "insert":
            out[at:at] = bytes([byte]) * length
        elif kind == "end":
            del out[at:]
    return bytes(out)


@pytest.mark.parametrize("name", LOADERS)
def test_a_changed_file_is_read_right_or_refused(name: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    """What was written is the truth: after changes anywhere a loader returns it, or raises ValueError or OSError.

    Any other exception fails the test, as does a file beside the one that was read, whatever became of it.
    """
    loader, folder = LOADERS[name], tmp_path_factory.mktemp(name)
    path = folder / "inner" / loader.file
    path.parent.mkdir(parents=True)
    made = loader.make(path)
    path = made if isinstance(made, Path) else path
    held, truth = path.read_bytes(), loader.load(path)
    there = {each.name for each in path.parent.iterdir()}
    assert loader.right(loader.load(path), truth)
    refused: set[bool] = set()

    @settings(
        max_examples=loader.examples,
        derandomize=True,
        deadline=None,
        database=None,
        suppress_health_check=[HealthCheck.too_slow],
    )
    @given(CHANGES)
    def change(changes: list[tuple[str, float, int, int]]) -> None:
        for beside in path.parent.glob("*-wal"):
            beside.unlink()
        path.write_bytes(changed(held, changes))
        try:
            found = loader.load(path)
        except (ValueError, OSError, *loader.refusals):
            refused.add(True)
        else:
            assert loader.right(found, truth)
            refused.add(False)
        assert [each.name for each in folder.iterdir()] == ["inner"]
        assert {each.name.removesuffix("-wal").removesuffix("-shm") for each in path.parent.iterdir()} == there

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        change()
    assert refused == {True, False}, "the test would see either"
