"""`clinometer lr`: what a training function may be, what it leaves, and how the command ends."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from models import cross_entropy
from torch import Tensor, nn

from clinometer import Recorder, every, landscape, suggest_lr
from clinometer.cli.app import main
from clinometer.learning_rate.script import ScriptError, suggest_for

SCRIPT = """
import sys
import torch
from torch import nn
from torch.nn import functional as F
from clinometer import Recorder, every, landscape

def loss_fn(model, batch):
    return F.cross_entropy(model(batch[0]), batch[1])

def batches(number):
    for seed in range(number):
        inputs = torch.randn(32, 6, generator=torch.Generator().manual_seed(seed))
        yield inputs, inputs[:, :4].argmax(1)

def parts():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 4))
    return model, loss_fn, list(batches(40)), torch.optim.SGD(model.parameters(), lr=0.1)

def train(number=1000, every_nth=1):
    model, _, _, optimizer = parts()
    recorder = Recorder(model, loss_fn, [landscape()], every(1), optimizer=optimizer, to="run")
    for index, batch in enumerate(batches(number)):
        try:
            with recorder.step(batch):
                loss_fn(model, batch).backward()
                if (index + 1) % every_nth == 0:
                    optimizer.step()
                    optimizer.zero_grad()
        except Exception:
            print("caught")
    print("ended")

def short():
    train(7)

def accumulates():
    train(every_nth=4)

def nothing():
    pass

def breaks():
    raise RuntimeError("no data")

rate = 0.1
"""


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The module, in the folder that the command is given in."""
    (tmp_path / "my_script.py").write_text(SCRIPT)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("CLINOMETER_MODULES", str(tmp_path))
    import my_script  # pyright: ignore[reportMissingImports]

    yield my_script
    import sys

    del sys.modules["my_script"]


def run(words: list[str]) -> int:
    with pytest.raises(SystemExit) as end:
        main(["lr", *words])
    return int(str(end.value.code))


def test_a_loop_is_searched_from_its_start(script: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """The truth is the search of the same parts before any step: though the loop has trained on, it begins there."""
    assert run(["my_script:train", "--json"]) == 0
    printed = capsys.readouterr().out
    assert "caught" not in printed
    assert "ended" not in printed
    assert json.loads(printed) == json.loads(json.dumps(suggest_lr(*script.parts()).as_dict()))
    assert not Path("run").exists(), "the Recorder writes nothing"
    assert Recorder.step.__qualname__ == "Recorder.step", "and is itself again"


def test_parts_are_searched(script: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """What a function returns is what `suggest_lr` gets."""
    assert run(["my_script:parts"]) == 0
    assert " ".join(capsys.readouterr().out.split()) == " ".join(str(suggest_lr(*script.parts())).split())


@pytest.mark.parametrize(
    ("name", "status", "words"),
    [
        ("short", 0, "7 batches are too few"),
        ("accumulates", 2, "a step of the optimizer for each batch"),
        ("nothing", 2, "it took no step of a Recorder"),
        ("breaks", 1, "RuntimeError: no data"),
        ("rate", 2, "expected a function"),
        ("tain", 2, "Did you mean 'train'"),
    ],
)
@pytest.mark.usefixtures("script")
def test_it_ends_as_it_should(name: str, status: int, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    """0 for an answer, also "cannot tell"; 2 for a function that cannot be searched; 1 for one that fails."""
    assert run([f"my_script:{name}"]) == status
    caught = capsys.readouterr()
    assert words in " ".join((caught.out + caught.err).split())


def test_a_recorder_without_an_optimizer_is_refused() -> None:
    """Its rate is what is asked for."""

    def train() -> None:
        model = nn.Linear(2, 2)
        recorder = Recorder(model, cross_entropy, [landscape()], every(1), lr=0.1)
        with recorder.step(torch.ones(1, 2)):
            raise AssertionError("it must not come to this")

    with pytest.raises(ValueError, match="one optimizer; found 0"):
        suggest_for(train)


def test_an_error_of_the_script_is_told_from_ours() -> None:
    """A loss function that raises at its own training step is the script's failure."""

    def loss_fn(model: nn.Module, batch: Tensor) -> Tensor:
        raise ValueError("shapes")

    def train() -> None:
        model = nn.Linear(2, 2)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        recorder = Recorder(model, loss_fn, [landscape()], every(1), optimizer=optimizer)
        with recorder.step(batch := torch.ones(1, 2)):
            loss_fn(model, batch)

    with pytest.raises(ScriptError, match="shapes"):
        suggest_for(train)
