import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinometer.training.config import Config, grid, one_of


def test_a_key_depends_on_every_field() -> None:
    """Two runs that differ anywhere must not share a folder: each field is changed in turn."""
    other = {"data": "cifar10", "model": "vgg11", "norm": "l1", "momentum": 0.5}
    keys = {Config().key}
    for field in dataclasses.fields(Config):
        changed = other[field.name] if field.name in other else getattr(Config(), field.name) + 1
        keys.add(dataclasses.replace(Config(), **{field.name: changed}).key)
    assert len(keys) == len(dataclasses.fields(Config)) + 1


def test_the_key_of_a_config_does_not_change_between_versions() -> None:
    """Pinned: were it to change, every finished run of every user would be made again."""
    assert Config(width=0.5, norm="none", seed=2).key == "46b1ac35db3825c9"


@given(st.integers(1, 4), st.integers(1, 4))
def test_a_grid_is_the_product(lrs: int, seeds: int) -> None:
    """Counted, and all different."""
    configs = grid(Config(), lr=[0.1 * (i + 1) for i in range(lrs)], seed=range(seeds))
    assert len(set(configs)) == lrs * seeds


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        ({"norm": "bacth"}, "Did you mean 'batch'"),
        ({"data": "mnist"}, "no data set 'mnist'; there are digits, cifar10"),
        ({"model": "vgg12"}, "Did you mean 'vgg1"),
        ({"lr": 0.0}, "lr must be positive and finite; found 0.0"),
        ({"lr": float("nan")}, "lr must be positive and finite; found nan"),
        ({"steps": -1}, "steps must be positive"),
        ({"lr": float("inf")}, "lr must be positive and finite"),
        ({"momentum": 1.0}, "momentum must lie in"),
        ({"lr": "0.1"}, "lr must be float; found '0.1'"),
        ({"steps": 10.5}, "steps must be int; found 10.5"),
        ({"seed": True}, "seed must be int; found True"),
    ],
)
def test_what_cannot_be_run_is_refused(bad: dict[str, object], words: str) -> None:
    """Before any work is spent."""
    with pytest.raises((ValueError, TypeError), match=words):
        Config(**bad)  # type: ignore[arg-type]


def test_equal_configs_are_one_run() -> None:
    """1 and 1.0 are equal to Python but not to JSON: the run's folder must not depend on how it was written."""
    assert Config(lr=1).key == Config(lr=1.0).key


def test_unknown_factors_and_names() -> None:
    """With what there is, and what may have been meant."""
    with pytest.raises(ValueError, match=r"no factor 'lrs'; there are .* Did you mean 'lr'"):
        grid(Config(), lrs=[0.1])
    with pytest.raises(ValueError, match=r"no scale 'x'; there are a, b\.$"):
        one_of("scale", "x", ["a", "b"])
