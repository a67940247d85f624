"""What makes a finished run stale and what does not, found by changing the sources that a fingerprint reads."""

import ast
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from clinometer.papers.santurkar2018.configs import deep_linear, vgg
from clinometer.training import code_digest
from clinometer.training.config import RunConfig
from clinometer.training.fingerprint import differences, fingerprint
from clinometer.training.imports import FOLDER, look_in
from clinometer.training.syntax import hash_trees

Change = Callable[[str, str, str], None]


@pytest.fixture
def change(monkeypatch: pytest.MonkeyPatch) -> Change:
    """Let a module's source be read with one text replaced by another."""
    whole = code_digest.read_source

    def change(module: str, before: str, after: str) -> None:
        def read(name: str, file: Path) -> bytes:
            text = whole(name, file)
            if name != module:
                return text
            assert before.encode() in text, f"{module} has no {before!r}"
            return text.replace(before.encode(), after.encode())

        monkeypatch.setattr(code_digest, "read_source", read)

    return change


RUNS = [vgg("batch"), vgg("none"), deep_linear("l2")]


def stale(change: Change, module: str, before: str, after: str, runs: list[RunConfig] | None = None) -> list[bool]:
    """Whether each run's fingerprint has changed with a source."""
    then = [fingerprint(run) for run in runs or RUNS]
    change(module, before, after)
    return [bool(differences(one, fingerprint(run))) for one, run in zip(then, runs or RUNS, strict=True)]


@pytest.mark.parametrize(
    ("module", "before", "after"),
    [
        (
            "clinometer.nn.norms.rows",
            '    "batch": batch_norm,',
            '    "batch": batch_norm,\n    "new": lambda n, d: nn.Tanh(),',
        ),
        ("clinometer.probes.registry", "PROBES:", "OTHERS = {'new': landscape}\nPROBES:"),
        ("clinometer.recorder.summary", "def summary", "def earlier(): ...\n\n\ndef summary"),
        ("clinometer.measures.line", "`sizes` must be", "The sizes must all be"),
        ("clinometer.training.from_config", "that the trainer passes first", "as the trainer passes them"),
    ],
    ids=["a row of NORMS", "a row of PROBES", "the summary", "the words of an error", "a comment"],
)
def test_what_decides_no_number_makes_no_run_stale(change: Change, module: str, before: str, after: str) -> None:
    """One change that cannot alter a number: the fingerprints of three kinds of runs stay what they were."""
    assert stale(change, module, before, after) == [False] * 3


@pytest.mark.parametrize(
    ("module", "before", "after", "expected"),
    [
        ("clinometer.nn.norms.torch_layers", "return kinds[spatial_dims](num_features", "return kinds[0](num_features",
         [True, True, True]),
        ("clinometer.nn.norms.lp", "self.momentum = 0.1", "self.momentum = 0.2", [False, False, True]),
        ("clinometer.nn.norms.noise", "n_mu: float = 0.5", "n_mu: float = 0.6", [False, False, False]),
        ("clinometer.measures.line", "return ", "return 2 * ", [True, True, True]),
        ("clinometer.training.loop", "loss.backward()", "(2 * loss).backward()", [True, True, True]),
        ("clinometer.papers.santurkar2018.stacked", "optimizer.step()", "optimizer.step(None)", [False, False, True]),
        ("clinometer.papers.santurkar2018.networks.vgg", "seed, init)", "seed + 1, init)", [True, True, False]),
    ],
    ids=["BatchNorm", "the Lp norms", "the noise", "the walk", "the loop", "the stacked trainer", "the VGG"],
)  # fmt: skip
def test_what_decides_numbers_makes_the_runs_that_use_it_stale(
    change: Change, module: str, before: str, after: str, expected: list[bool]
) -> None:
    """Code of a norm, a measure or a trainer: runs that use it are stale, and no others.

    The network's module names BatchNorm as its default, so that one counts for every VGG.
    """
    assert stale(change, module, before, after) == expected


def test_a_probe_counts_for_the_runs_that_have_it(change: Change) -> None:
    """The headroom's code changes: a run with that probe is stale, and one with another is not."""
    plain = RunConfig("torch.nn:Linear", settings={"in_features": 1, "out_features": 1, "lr": 1})
    other = plain.vary(probes=(("headroom", {}),))
    assert stale(change, "clinometer.measures.critical_step", "return ", "return 2 * ", [plain, other]) == [False, True]


def test_imports_by_call_and_installed_packages_are_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By hand: a module imported by its name in a text, and the files and the version of a package in site-packages."""
    site = tmp_path / "site-packages"
    for name, text in {
        "fp_nets/__init__.py": "from fp_nets.parts import net\n",
        "fp_nets/parts.py": "import importlib\n\nhidden = importlib.import_module('fp_nets.hidden')\n"
        "extra = importlib.import_module('.extra', __package__)\n\ndef net():\n    return hidden.make()\n",
        "fp_nets/hidden.py": "from torch import nn\n\ndef make():\n    return nn.Linear(2, 2)\n",
        "fp_nets/extra.py": "WIDTH = 3\n",
        "fp_nets-0.5.dist-info/METADATA": "Metadata-Version: 2.1\nName: fp-nets\nVersion: 0.5\n",
        "fp_nets-0.5.dist-info/top_level.txt": "fp_nets\n",
        "fp_nets-0.5.dist-info/RECORD": "fp_nets/__init__.py,,\n",
    }.items():
        (site / name).parent.mkdir(parents=True, exist_ok=True)
        (site / name).write_text(text)
    monkeypatch.setattr(sys, "path", [str(site), *sys.path])
    monkeypatch.setenv(FOLDER, "")
    look_in(tmp_path)
    config = RunConfig("fp_nets:net", settings={"lr": 0.1})
    before = fingerprint(config)
    assert {"fp_nets", "fp_nets.parts", "fp_nets.hidden", "fp_nets.extra"} <= set(before["code"])
    assert before["fp-nets"] == "0.5"
    (site / "fp_nets" / "hidden.py").write_text("from torch import nn\n\ndef make():\n    return nn.Linear(2, 3)\n")
    assert differences(before, fingerprint(config)) == ["code: fp_nets.hidden"]


SYNTAX = """
@cached
async def f(a, /, b: int = 1, *rest, c=None, **kwargs) -> None:
    match a:
        case {"x": None, **others} | [1, *_]:
            return f"{b!r:>{c}}" f" and {a=}" "!"
    return {**kwargs, "none": None, "empty": [], "b": b"1", "n": 1e9j}


class C(B, metaclass=M):
    x: int
    del x
    with open(p) as q, q: pass
"""


def test_code_has_the_same_digest_in_every_version_of_python() -> None:
    """That of `ast.dump` in Python 3.13.0; 3.11.7 and 3.12.1 dump the same tree in other words, each in its own."""
    assert hash_trees([ast.parse(SYNTAX)]) == "3da3abbccbb49c87"


@pytest.mark.parametrize("installed", ["without a version", "from a folder", "from an index", "not, but imported"])
def test_what_is_imported_beside_counts(installed: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By hand: a package in site-packages that the network's module imports, edited or with another version.

    Where the version says which code it holds the version counts, and where it does not the source.
    """
    site, name = tmp_path / "site-packages", f"fp_{installed.split(' ')[-1].strip(',')}"
    site.mkdir()
    place = tmp_path if installed == "not, but imported" else site
    (place / f"{name}.py").write_text("X = 1\n")
    call = f"import importlib\nh = importlib.import_module({name!r})\n" if place is tmp_path else f"import {name}\n"
    (tmp_path / f"{name}_nets.py").write_text(f"from torch import nn\n{call}\ndef net():\n    return nn.Linear(2, 2)\n")
    if installed in ("from a folder", "from an index"):
        about = site / f"{name}-0.5.dist-info"
        about.mkdir()
        (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 0.5\n")
        (about / "RECORD").write_text(f"{name}.py,,\n")
        if installed == "from a folder":
            (about / "direct_url.json").write_text('{"url": "file:///mine", "dir_info": {}}')
    monkeypatch.setattr(sys, "path", [str(tmp_path), str(site), *sys.path])
    config = RunConfig(f"{name}_nets:net", settings={"lr": 0.1})
    before = fingerprint(config)
    (place / f"{name}.py").write_text("X = 2\n")
    expected = [] if installed == "from an index" else [f"code: {name}"]
    assert differences(before, fingerprint(config)) == expected
    assert before.get(name) == ("0.5" if installed in ("from a folder", "from an index") else None)
