"""Studies of one's own, piece by piece: configs, files, settings, claims. Runs by the command: test_declared.py."""

import dataclasses
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from hypothesis import example, given
from hypothesis import strategies as st
from properties import assert_same
from torch.nn import functional as F

from clinometer import Store
from clinometer.results.run_table import RunTable
from clinometer.studies.claims import Claim, decide
from clinometer.studies.declared.claims import comparison
from clinometer.studies.declared.dry_run import dry_run
from clinometer.studies.declared.reader import read
from clinometer.studies.declared.spec import OwnStudy, declared, restored
from clinometer.studies.declared.yaml import parsed
from clinometer.training.config import RunConfig
from clinometer.training.data.datasets import digits
from clinometer.training.fingerprint import differences, fingerprint
from clinometer.training.from_config import calls, data_of
from clinometer.training.imports import FOLDER, look_in
from clinometer.training.run import run, run_group

_ASCII = st.characters(min_codepoint=32, max_codepoint=126)  # PyYAML does not read some others as it wrote them

NETS = """
import torch
from torch import nn

class Drawing(nn.Module):
    def forward(self, x):
        return x + 0 * torch.rand(())  # in evaluation, too

def mlp(width=16, dropout=0.0):
    frozen = nn.BatchNorm1d(width, affine=False).eval()
    return nn.Sequential(nn.Flatten(), nn.Linear(64, width), frozen, nn.BatchNorm1d(width), nn.ReLU(), Drawing(),
                         nn.Dropout(dropout), nn.Linear(width, 10))

def wide(width):
    return nn.Linear(3, width)

def told(scale, seed, depth: float = 1, **rest):
    raise RuntimeError(repr((scale, seed, depth, rest)))

def number():
    return 3

def line(noise=0.0):
    x = torch.linspace(-1, 1, 20)[:, None]
    return x, 2 * x + noise * torch.randn(20, 1)

def stepless(parameters, lr):
    return 3

def uneven():
    return torch.zeros(3, 1), torch.zeros(2, 1)

def half(outputs, targets):
    return (outputs - targets).square().mean(1)

def speed(step):
    return {"loss": step.loss, "twice": [1.0, 2.0]}

def stumble(step):
    from pathlib import Path
    met = Path(__file__).with_name("met")
    if step.index == 28 and not met.exists():
        met.touch()
        raise KeyboardInterrupt
    return {"loss": step.loss}

def broken(step):
    raise RuntimeError("no such thing")
"""


@pytest.fixture
def beside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with own_nets.py, where modules are looked for."""
    (tmp_path / "own_nets.py").write_text(NETS)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setenv(FOLDER, "")  # and so undone at the end
    sys.modules.pop("own_nets", None)
    look_in(tmp_path)
    return tmp_path


def test_a_run_trains_as_a_plain_loop_would(beside: Path) -> None:
    """The truth is a loop written by hand without clinometer: dropout, momentum, statistics, bit for bit."""
    settings = {"dropout": 0.5, "lr": 0.1, "momentum": 0.9}
    config = RunConfig(model="own_nets:mlp", settings=settings, steps=60, seed=3, measure_every=7, test_every=59)
    run(config, beside / "run")
    store = Store(beside / "run" / "rows.sqlite", read_only=True)

    data = digits()
    inputs = data.normalized(data.train_images)
    torch.manual_seed(3)
    model = sys.modules["own_nets"].mlp(dropout=0.5)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    torch.manual_seed(3)
    generator = torch.Generator().manual_seed(3)
    order = [torch.randperm(1500, generator=generator).split(64)[:-1] for _ in range(3)]
    losses: list[torch.Tensor] = []
    for chosen in [batch for epoch in order for batch in epoch][:60]:
        loss = F.cross_entropy(model(inputs[chosen]), data.train_labels[chosen])
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.detach())
    model.eval()
    with torch.no_grad():
        parts = [model(data.normalized(images)) for images in data.test_images.split(500)]
    assert_same(torch.from_numpy(store.read("train")["loss"]), torch.stack(losses))
    assert store.read("test")["step"].tolist() == [0, 59]
    assert store.read("test")["loss"][-1] == F.cross_entropy(torch.cat(parts), data.test_labels).item()
    rows = store.read("landscape")
    assert rows["step"].tolist() == list(range(0, 60, 7))
    assert_same(torch.from_numpy(rows["loss"]), torch.stack(losses[::7]))


@given(
    st.dictionaries(
        st.from_regex(r"[a-z]{1,5}", fullmatch=True).filter(lambda name: name not in RunConfig.__dataclass_fields__),
        st.one_of(
            st.none(),
            st.booleans(),
            st.integers(-(2**60), 2**60),
            st.floats(allow_nan=False, allow_infinity=False),
            st.text(max_size=5),
            st.lists(st.integers(0, 9), max_size=3),
        ),
        max_size=4,
    )
)
def test_a_config_is_what_its_json_says(settings: dict[str, Any]) -> None:
    """Through the text of config.json and back, to the same config and the same folder."""
    config = RunConfig(
        model="nets:mlp", settings=settings, probes=(("landscape", {"sizes": [1, 2]}), ("nets:mine", None))
    )
    again = RunConfig(**json.loads(json.dumps(dataclasses.asdict(config))))
    assert again == config
    assert hash(again) == hash(config)
    assert again.key == config.key


def test_every_field_of_a_config_is_part_of_its_key() -> None:
    """A field that were left out would let two different runs share a folder."""
    base = RunConfig(model="nets:mlp", settings={"lr": 0.1})
    others = {
        "data": "nets:data", "model": "nets:cnn", "batch_size": 65, "steps": 151, "seed": 1, "measure_every": 11,
        "test_every": 11, "loss": "nets:loss", "optimizer": "torch.optim:Adam", "scheduler": "nets:warmup",
        "settings": {"lr": 0.2}, "probes": (), "trainer": "nets:train", "consecutive": ("landscape",),
        "channels_last": True, "intervals": {"landscape": 2},
    }  # fmt: skip
    assert set(others) == {field.name for field in dataclasses.fields(RunConfig)}
    keys = [base.key, *(dataclasses.replace(base, **{name: value}).key for name, value in others.items())]
    assert len(set(keys)) == len(keys)
    assert RunConfig(model="nets:mlp", settings={"lr": 1}).key == RunConfig(model="nets:mlp", settings={"lr": 1.0}).key


def _is_no_number(text: str) -> bool:
    """PyYAML follows YAML 1.1 and leaves some texts unquoted that 1.2 takes for numbers: 0o7, 1e3, inf."""
    return not re.match(r"[-+.]*([0-9]|inf|nan)", text, re.IGNORECASE)


_TEXT = st.text(_ASCII, max_size=8).filter(_is_no_number)


@given(
    st.recursive(
        st.one_of(
            st.none(),
            st.booleans(),
            st.integers(-(10**9), 10**9),
            st.floats(allow_nan=False, allow_infinity=False),
            _TEXT,
        ),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXT, inner, max_size=3),
        max_leaves=8,
    )
)
@example({"1:30": ["010", "0x1f", "1_000", "yes", "1.5", "~", ""]})
def test_yaml_is_read_as_it_was_written(value: Any) -> None:
    """Another writer's output, PyYAML's, of whatever JSON can hold: it quotes what would be read otherwise."""
    found, _ = parsed(yaml.safe_dump(value, allow_unicode=True), Path("study.yaml"))
    assert found == value


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: &x [1]\nb: *x", "line 1: anchors (&) and aliases (*) are not read"),
        ("a: 1\nb: !!python/object/apply:os.system [ls]", "line 2: tags are not read; found tag:yaml.org,2002:python"),
        ("a: 1\nb:\n  c: 1\n  c: 2", "line 4: the key 'c' stands there twice"),
        ("a: [none, no]", "line 1: no is false to some readers of YAML and text to others. Write 'no' in quotes"),
        ("a: On", "On is true to some"),
        ("a: 0x10", "0x10 is not the same number, or none, to all readers"),
        ("a: 010", "010 is not the same number"),
        ("a: 1_000", "1_000 is not the same number"),
        ("a: [1", "line 1: not YAML: expected ',' or ']'"),
        ("a: 1\n---\nb: 2", "line 2: not YAML: but found another document"),
        ("a: " + "[" * 50 + "]" * 50, "less than 20 deep"),
        ("? [1]\n: 2", "line 1: expected a word as a key"),
        ("a: '" + "x" * 1_000_000 + "'", "expected a study of some twenty lines; found 1000005 characters"),
        ("a: \x00", "study.yaml: not YAML"),
        ("<<: {a: 1}\nb: @", "line 2: not YAML"),
    ],
)
def test_tricks_and_traps_of_yaml_are_refused(text: str, expected: str) -> None:
    """What PyYAML would expand, execute, overwrite or read as something else; the line is counted by hand."""
    with pytest.raises(ValueError, match=r"^study\.yaml") as refused:
        parsed(text, Path("study.yaml"))
    assert expected in str(refused.value)


STUDY = """\
name: tried
model: own_nets:mlp
factors:
  dropout: [0.0, 0.5]
  lr: 0.1
probes: [landscape]
claims:
  - id: smoother
    quantity: landscape.beta
    compare: {dropout: 0.5}
    to: {dropout: 0.0}
    rule: ratio below 1
"""


def refused(folder: Path, text: str) -> str:
    """What reading and trying a file is refused with."""
    (folder / "study.yaml").write_text(text)
    with pytest.raises(ValueError, match=r"study\.yaml") as error:
        tried(folder / "study.yaml")
    return str(error.value).removeprefix(f"{folder}/")


def tried(path: Path) -> None:
    """As the command does before any run."""
    study, source = read(path)
    with source.named():
        study.check_claims(dry_run(study.arms))


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("name: tried", "nmae: tried", "study.yaml, line 1: nmae: no key called 'nmae'; there are name, model"),
        ("name: tried", "nmae: tried", "Did you mean 'name'?"),
        ("name: tried", "", "study.yaml: name: expected a name for the study"),
        ("name: tried", "name: ../tried", "line 1: name: expected up to 64 letters, digits"),
        ("name: tried", "name: 3", "line 1: name: expected text; found 3"),
        ("model: own_nets:mlp", "", "model: expected the import path of what returns an nn.Module"),
        ("model: own_nets:mlp", "model: own_nets.mlp", "line 2: model: expected an import path such as mymodule:model"),
        ("model: own_nets:mlp", "model: own_net:mlp", "line 2: model: no module 'own_net': it is neither in"),
        ("model: own_nets:mlp", "model: own_nets:mpl", "line 2: model: no name in own_nets called 'mpl'"),
        ("model: own_nets:mlp", "model: own_nets:mpl", "Did you mean 'mlp'?"),
        ("model: own_nets:mlp", "model: own_nets:number", "line 4: factors.dropout: no parameter of own_nets:number"),
        ("model: own_nets:mlp", "model: own_nets:wide", "factors.dropout: no parameter"),
        ("  dropout: [0.0, 0.5]", "  dropuot: [0.0, 0.5]", "line 10: claims[0].compare.dropout: no factor 'dropout'"),
        ("  dropout: [0.0, 0.5]", "  dropout: []", "line 4: factors.dropout: expected at least one value"),
        ("  dropout: [0.0, 0.5]", "  dropout: [0, 0.0]",
         "line 4: factors.dropout: 0.0 is there twice, as 0 and as 0.0"),
        ("  dropout: [0.0, 0.5]", "  dropout: [0.0, 1.5]",
         "line 2: model: called with dropout=1.5, it raised ValueError"),
        ("  dropout: [0.0, 0.5]", "  dropout: [.inf]",
         "line 4: factors.dropout[0]: expected a finite number; found inf"),
        ("  lr: 0.1", "  lr: -1", "optimizer: called with lr=-1.0, it raised ValueError: Invalid learning rate"),
        ("  lr: 0.1", "  seed: [1, 2]", "line 5: factors.seed: a factor is named as a parameter is; how many seeds"),
        ("factors:", "seeds: 0\nfactors:", "line 3: seeds: expected a whole number of at least 1; found 0"),
        ("factors:", "steps: 1e3\nfactors:", "line 3: steps: expected a whole number of at least 1; found 1000.0"),
        ("factors:", "every: '10'\nfactors:", "line 3: every: expected a whole number of at least 1; found '10'"),
        ("factors:", "data: digit\nfactors:",
         "line 3: data: no bundled data 'digit'; there are digits, cifar10. Did you"),
        ("factors:", "data: own_nets:uneven\nfactors:", "line 3: data: expected as many inputs as targets"),
        ("factors:", "data: own_nets:number\nfactors:", "own_nets:number to return (inputs, targets), two tensors"),
        ("factors:", "data: own_nets:line\nfactors:",
         "model: given a batch of inputs, (20, 1) float32, it raised Runtime"),
        ("factors:", "loss: own_nets:half\nfactors:",
         "line 3: loss: given outputs (64, 10) float32 and targets (64,) int64"),
        ("factors:", "loss: own_nets:number\nfactors:", "line 3: loss: given outputs"),
        ("factors:", "optimizer: own_nets:stepless\nfactors:", "line 3: optimizer: expected own_nets:stepless to make"),
        ("[landscape]", "landscape",
         "line 6: probes: expected a list such as [landscape, headroom]; found 'landscape'"),
        ("[landscape]", "[landscpe]", "line 6: probes[0]: no probe 'landscpe'; there are landscape, headroom"),
        ("[landscape]", "[landscape, landscape]", "line 6: probes[1]: rows of 'landscape' are there already"),
        ("[landscape]", "[{landscape: {size: [1]}}]", "probes[0]: no argument of landscape called 'size'"),
        ("[landscape]", "[{landscape: {sizes: [0]}}]", "it raised ValueError: `sizes` must contain a nonzero step"),
        ("[landscape]", "[landscape, batchnorm_terms, own_nets:broken]",
         "probes: the first step raised RuntimeError: no"),
        ("[landscape]", "[{activations: {modules: [9]}}]", "line 6: probes"),
        ("landscape.beta", "landscape.betta", "line 9: claims[0].quantity: no field of landscape called 'betta'"),
        ("landscape.beta", "headroom.loss", "claims[0].quantity: no rows of a probe called 'headroom'; there are"),
        ("landscape.beta", "beta", "such as landscape.beta or train.loss; found 'beta'"),
        ("landscape.beta", "landscape.losses.7", "no entry of landscape.losses called '7'; there are 0, 1, 2, 3"),
        ("ratio below 1", "below 1", "line 12: claims[0].rule: expected ratio, difference or value, above or below"),
        ("ratio below 1", "ratio below 0", "line 12: claims[0].rule: a ratio is compared with a positive number"),
        ("ratio below 1", "value below 1", "line 11: claims[0].to: a value has nothing to be compared to"),
        ("    to: {dropout: 0.0}", "", "claims[0].to: a ratio needs `to`"),
        ("  - id: smoother", "  - id: smoother\n    where: 3",
         "line 9: claims[0].where: no key of a claim called 'where'"),
        ("    rule: ratio below 1", "    rule: ratio below 1\n    over: 2",
         "line 13: claims[0].over: expected end, or two"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_with_file_line_and_key(beside: Path, before: str, after: str, expected: str) -> None:
    """One slip in a study that is otherwise accepted (the next test); the line is counted by hand."""
    assert before in STUDY
    assert expected in refused(beside, STUDY.replace(before, after, 1))


def test_the_study_without_a_slip_is_accepted(beside: Path) -> None:
    """Or the slips above would prove nothing. The rehearsal's rows are those that a run would write."""
    (beside / "study.yaml").write_text(STUDY)
    study, _ = read(beside / "study.yaml")
    rows = dry_run(study.arms)
    study.check_claims(rows)
    assert set(rows) == {"train", "test", "landscape"}
    assert [arm.settings for arm in study.arms] == [{"dropout": 0.0, "lr": 0.1}, {"dropout": 0.5, "lr": 0.1}]


def test_settings_go_to_whoever_names_them(beside: Path) -> None:
    """Python's own rules say what a function can be called with; what nothing names goes to `**rest`."""
    config = RunConfig(model="own_nets:told", settings={"scale": (1, 2), "depth": 2, "lr": 1, "other": 1}, seed=5)
    found = calls(config)
    assert found["model"].arguments == {"scale": [1, 2], "depth": 2.0, "other": 1, "seed": 5}
    assert isinstance(found["model"].arguments["depth"], float)
    assert isinstance(found["optimizer"].arguments["lr"], float)
    assert found["optimizer"].arguments == {"lr": 1.0}
    assert found["loss"].arguments == {}


def test_probes_of_the_user_are_recorded_under_their_name(beside: Path) -> None:
    """On their own data, a regression: no accuracy, no test set, and data drawn alike for every seed."""
    study = OwnStudy(
        name="line", model="torch.nn:Linear", data="own_nets:line", loss=F.mse_loss, probes=["own_nets:speed"],
        factors={"in_features": 1, "out_features": 1, "noise": 0.1, "lr": 0.1}, steps=3, every=1,
    )  # fmt: skip
    rows = dry_run(study.arms)
    assert set(rows) == {"train", "speed"}
    assert set(rows["train"]) == {"loss"}
    drawn = [data_of(dataclasses.replace(study.arms[0], seed=seed)).train.targets for seed in (0, 1)]
    assert_same(*drawn)
    for seed in (0, 1):
        run(dataclasses.replace(study.arms[0], seed=seed), beside / str(seed))
    one, other = (Store(beside / str(seed) / "rows.sqlite", read_only=True).read("speed") for seed in (0, 1))
    assert one["twice"].shape == (3, 2)
    assert one["loss"][0] != other["loss"][0], "other weights"


def test_a_run_that_was_interrupted_goes_on_as_if_it_had_not_been(beside: Path) -> None:
    """The truth is the same run in one go: momentum, dropout, statistics and order of batches, in every row."""
    config = RunConfig(
        model="own_nets:mlp",
        settings={"dropout": 0.5, "momentum": 0.9, "lr": 0.1},
        probes=(("landscape", {"direction": "random"}), ("own_nets:stumble", None)),
        steps=40,
        measure_every=7,
    )
    with pytest.raises(KeyboardInterrupt):
        run_group({config: beside / "twice"}, every=1e-9)
    assert [each.name[:9] for each in (beside / "twice" / "checkpoint").iterdir()]
    for name in ("twice", "once"):
        run_group({config: beside / name}, every=1e-9)
    once, twice = (Store(beside / name / "rows.sqlite", read_only=True) for name in ("once", "twice"))
    assert twice.last_step() == 39
    for probe in ("train", "test", "landscape_random", "stumble"):
        assert_same(once.read(probe), twice.read(probe))


def test_a_fingerprint_follows_the_modules_of_the_study(beside: Path) -> None:
    """A number in a module that the study's own module imports is changed, then a comment, then what the data read."""
    (beside / "own_deep").mkdir()
    (beside / "own_deep" / "__init__.py").write_text("from . import sizes\n")
    (beside / "own_deep" / "sizes.py").write_text("WIDTH = 3\n")
    (beside / "own_data.py").write_text(
        "import own_deep, torch\nfrom pathlib import Path\n"
        "def read():\n"
        "    x = torch.full((4, 1), float(Path(__file__).with_name('number').read_text()))\n"
        "    return x, x\n"
    )
    (beside / "number").write_text("1")
    config = RunConfig(model="own_nets:line", data="own_data:read")
    before = fingerprint(config)
    assert {"own_nets", "own_data", "own_deep", "own_deep.sizes", "clinometer.training.parts"} <= set(before["code"])
    assert not any(name.startswith(("torch", "numpy")) for name in before["code"])
    (beside / "own_deep" / "sizes.py").write_text("# as before\nWIDTH = 3\n")
    assert differences(before, fingerprint(config)) == []
    (beside / "own_deep" / "sizes.py").write_text("WIDTH = 4\n")
    (beside / "number").write_text("2")
    assert differences(before, fingerprint(config)) == ["code: own_deep.sizes", "data: own_data:read"]


def table(arms: list[RunConfig], curve: Callable[[RunConfig, int], list[float]]) -> RunTable:
    """Four seeds of each arm, whose β is chosen."""
    betas = {dataclasses.replace(arm, seed=seed): curve(arm, seed) for arm in arms for seed in range(4)}
    diverged = {config: 0 for config, values in betas.items() if not np.isfinite(values).all()}
    return RunTable.of_arrays({config: {"landscape": {"beta": values}} for config, values in betas.items()}, diverged)


def arms(**factors: Any) -> list[RunConfig]:
    return OwnStudy(name="x", model="nets:mlp", factors=factors, steps=40, every=10).arms


def named(arms: list[RunConfig]) -> dict[str, RunConfig]:
    return {str(number): arm for number, arm in enumerate(arms)}


def claimed(**keys: Any) -> Claim:
    told = {"id": "c", "quantity": "landscape.beta", "compare": {"p": 1}, "to": {"p": 0}, "rule": "ratio below 1"}
    return comparison("claims[0]", {k: v for k, v in {**told, **keys}.items() if v is not None}, ["p", "lr"])


def beta(arm: RunConfig, seed: int) -> list[float]:
    """At steps 0 to 30: 8 and then 2 with p 0; half of that with p 1; and a little of the seed."""
    size = (1 + arm.settings["p"]) * (1 + 0.01 * seed)
    return [8 / size, 8 / size, 2 / size, 2 / size * (1 + 0.001 * seed * arm.settings["p"])]


@pytest.mark.parametrize(
    ("keys", "value", "verdict"),
    [
        ({"rule": "ratio below 1"}, 0.5, "holds"),
        ({"rule": "ratio above 1"}, 0.5, "fails"),
        ({"rule": "ratio below 0.5"}, 0.5, "undecided"),
        ({"rule": "difference below 0", "over": "end"}, -0.98, "holds"),
        ({"rule": "difference below -2", "over": [0.5, 1]}, -0.98, "fails"),
        ({"rule": "difference below -2", "over": [0, 0.5]}, -3.94, "holds"),
        ({"rule": "value above 3", "to": None}, 2.46, "fails"),
        ({"rule": "value above 4", "compare": {"p": 0}, "to": None}, 4.92, "holds"),
    ],
)
def test_a_claim_is_decided_by_its_rule(keys: dict[str, Any], value: float, verdict: str) -> None:
    """On numbers whose ratio, difference and mean were worked out by hand."""
    found = decide(claimed(**keys), table(arms(p=[0, 1]), beta), named(arms(p=[0, 1])))
    assert found.verdict == verdict
    assert found.parts[0].effect.value == pytest.approx(value, rel=1e-2)
    assert found.parts[0].effect.n == 4


def test_arms_are_paired_where_all_else_agrees() -> None:
    """Two learning rates make two parts, each named by its own."""
    grid = arms(p=[0, 1, 2], lr=[0.1, 0.2])
    parts = decide(claimed(), table(grid, beta), named(grid)).parts
    assert [part.name.rpartition(", ")[2] for part in parts] == ["lr 0.1", "lr 0.2"]
    crossed = decide(claimed(compare={"p": 1, "lr": 0.1}, to={"p": 0, "lr": 0.2}), table(grid, beta), named(grid))
    assert len(crossed.parts) == 1


@pytest.mark.parametrize(
    ("there", "curve", "expected"),
    [
        (arms(p=[0, 2]), beta, "This study has no arm with p 1."),
        (arms(p=[0, 1]), lambda arm, _seed: [np.nan if arm.settings["p"] else 1.0] * 4, "p 1 that diverged: 4"),
        (arms(p=[0, 1]), lambda _arm, _seed: [-1.0] * 4, "a ratio needs positive values"),
    ],
)  # fmt: skip
def test_what_cannot_be_decided_says_why(there: list[RunConfig], curve: Any, expected: str) -> None:
    """No arm, no number, no sign: undecided, with the reason in the note."""
    found = decide(claimed(), table(there, curve), named(there))
    assert found.verdict == "undecided"
    assert expected in found.note


def test_arms_without_a_run_are_undecided() -> None:
    """Planned but not finished, and so without a seed in common."""
    there = arms(p=[0, 1])
    found = decide(claimed(), table(there[:1], beta), named(there))
    assert found.verdict == "undecided"
    assert "no finished run" in found.note


def test_a_study_is_what_its_json_says(beside: Path) -> None:
    """Through the text of study.json and back: the same arms, claims and figures."""
    (beside / "study.yaml").write_text(STUDY.replace("[landscape]", "[{landscape: {sizes: [1, 2]}}, own_nets:speed]"))
    study, _ = read(beside / "study.yaml")
    kept = json.loads(json.dumps({"study": "tried", "declared": study.declared()}))
    again = restored(kept, [])
    assert again == study
    assert list(again.study().figures) == ["training", "landscape", "speed"]


def test_functions_stand_for_their_import_paths() -> None:
    """A study in Python may name them; what no other process could import is refused."""
    study = OwnStudy(name="x", model=torch.nn.Linear, loss=F.mse_loss, factors={"optimizer": [torch.optim.SGD]})
    assert (study.model, study.loss) == ("torch.nn.modules.linear:Linear", "torch.nn.functional:mse_loss")
    assert study.arms[0].optimizer == "torch.optim.sgd:SGD"
    with pytest.raises(ValueError, match="model: expected an import path, or a function or class defined at the top"):
        OwnStudy(name="x", model=lambda: torch.nn.Linear(1, 1))


def test_too_many_arms_are_a_slip() -> None:
    """Three factors of a hundred values: said at once, not when the disk is full."""
    with pytest.raises(ValueError, match="at most 10000 combinations; found 1000000"):
        declared({"name": "x", "model": "a:b", "factors": {name: list(range(100)) for name in "pqr"}})
