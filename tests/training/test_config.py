import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinometer.papers.santurkar2018.configs import deep_linear, vgg
from clinometer.training.config import RunConfig, grid, key_of
from clinometer.training.errors import SpecError, check_choice
from clinometer.training.settings import Settings


def test_a_key_depends_on_every_setting() -> None:
    """Two runs that differ anywhere must not share a folder: each setting is changed. Fields: test_from_config."""
    other = {"plan": "vgg11", "norm": "l1", "momentum": 0.5}
    keys = {vgg().key}
    for name, value in vgg().settings.items():
        keys.add(vgg().vary(**{name: other.get(name) or value + 1}).key)
    assert len(keys) == len(vgg().settings) + 1


def test_the_key_of_a_config_does_not_change_between_versions() -> None:
    """Pinned: were it to change, every finished run of every user would be made again."""
    assert RunConfig("nets:mlp", settings={"width": 0.5, "norm": "none"}, seed=2).key == "51f4c075902626e6"


@given(st.integers(1, 4), st.integers(1, 4))
def test_a_grid_is_the_product(lrs: int, seeds: int) -> None:
    """Counted, and all different."""
    configs = grid(vgg(), lr=[0.1 * (i + 1) for i in range(lrs)], seed=range(seeds))
    assert len(set(configs)) == lrs * seeds


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        ({"norm": "bacth"}, "Did you mean 'batch'"),
        ({"data": "mnist"}, "no data set 'mnist'; there are digits, cifar10"),
        ({"plan": "vgg12"}, "Did you mean 'vgg1"),
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
        vgg(**bad)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("bad", "words"),
    [({"norm": "bacth"}, "Did you mean 'batch'"), ({"reading": "dln_maen"}, "Did you mean 'dln_mean'")],
)
def test_the_deep_linear_network_is_checked_likewise(bad: dict[str, str], words: str) -> None:
    """Names that are not there, with what may have been meant."""
    with pytest.raises(ValueError, match=words):
        deep_linear(**bad)


def test_equal_configs_are_one_run() -> None:
    """1 and 1.0 are equal to Python but not to JSON: the run's folder must not depend on how it was written."""
    assert vgg(lr=1).key == vgg(lr=1.0).key
    assert vgg().vary(lr=1) == vgg().vary(lr=1.0)


@pytest.mark.parametrize("name", [field.name for field in dataclasses.fields(RunConfig)])
def test_a_setting_cannot_hide_a_field(name: str) -> None:
    """Read by name, one of the two would be lost."""
    with pytest.raises(ValueError, match=f"settings.{name}: every config has a field '{name}'"):
        RunConfig("nets:mlp", settings={name: 1})


def test_fields_and_settings_are_read_and_varied_by_name() -> None:
    """By hand, both kinds; what is not varied stays, and the config that was varied as well."""
    base = RunConfig("nets:mlp", settings={"norm": "none", "lr": 0.1}, steps=20)
    other = base.vary(lr=0.5, steps=30)
    assert (other["lr"], other["steps"], other["norm"], base["lr"], base.steps) == (0.5, 30, "none", 0.1, 20)
    with pytest.raises(ValueError, match=r"no setting or field 'nrom'; there are norm, .* Did you mean 'norm'"):
        base["nrom"]


def test_unknown_factors_and_names() -> None:
    """With what there is, and what may have been meant."""
    with pytest.raises(ValueError, match=r"no factor 'lrs'; there are .* Did you mean 'lr'"):
        grid(vgg(), lrs=[0.1])
    with pytest.raises(ValueError, match=r"no scale 'x'; there are a, b\.$"):
        check_choice("scale", "x", ["a", "b"])


def test_a_probe_may_have_an_interval_of_its_own() -> None:
    """The steps are counted by hand; a config without intervals keeps the folder that it had before there were any."""
    config = RunConfig("nets:mlp", steps=13, measure_every=6, intervals=Settings(step_norms=1, noise_scale=5))
    assert list(config.steps_of("step_norms")) == list(range(13))
    assert list(config.steps_of("noise_scale")) == [0, 5, 10]
    assert list(config.steps_of("landscape")) == [0, 6, 12]
    fields = dataclasses.asdict(RunConfig("nets:mlp"))
    assert key_of({name: value for name, value in fields.items() if name != "intervals"}) == RunConfig("nets:mlp").key
    with pytest.raises(SpecError, match=r"intervals\.landscape"):
        RunConfig("nets:mlp", intervals=Settings(landscape=0))
