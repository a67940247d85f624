"""Terminals and log files that are not UTF-8, which Python itself encodes for: in processes of their own."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
import warm
from torch import nn

from clinometer import Recorder, every, headroom, landscape

ENCODINGS = ("ascii", "cp1252")
MAIN = "from clinometer.cli.app import main; main()"
NARROW = "import sys; [stream.reconfigure(encoding='ascii') for stream in (sys.stdout, sys.stderr)]; "
SCRIPT = """
import torch
from torch import nn
from clinometer import Recorder, every, landscape
model = nn.Linear(4, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
loss_fn = lambda model, batch: model(batch).square().mean()
recorder = Recorder(model, loss_fn, [landscape()], every(1), optimizer=optimizer)
for _ in range(2):
    with recorder.step(batch := torch.ones(8, 4)):
        loss_fn(model, batch).backward()
        optimizer.step()
print(recorder.summary())
"""


def printed(code: str, encoding: str, *words: str | Path) -> str:
    """What a process prints, which must end well."""
    command: Sequence[str | Path] = [sys.executable, "-c", code, *words]
    environment = os.environ | {"PYTHONIOENCODING": encoding}
    done = subprocess.run(command, capture_output=True, env=environment, timeout=300, check=False)
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    return done.stdout.decode(encoding)  # raises for what is not of that encoding


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recorded run, whose headlines have Greek letters, arrows and middle dots."""
    to = tmp_path_factory.mktemp("runs") / "mine"
    model = nn.Linear(4, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    loss_fn = lambda model, batch: model(batch).square().mean()  # noqa: E731
    recorder = Recorder(model, loss_fn, [landscape(), headroom()], every(1), optimizer=optimizer, to=to)
    for _ in range(3):
        with recorder.step(batch := torch.ones(8, 4)):
            loss_fn(model, batch).backward()
            optimizer.step()
    recorder.store.close()
    return to


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_script_can_print_its_summary(encoding: str) -> None:
    """print() would raise for a letter that the encoding lacks, and end the user's script after its training."""
    text = printed(SCRIPT, encoding)
    assert "2 steps measured (0 to 1)" in text
    assert "beta" in text
    assert ("·" in text) == (encoding != "ascii"), "what it has is written as it is"


def test_a_command_prints_in_any_encoding() -> None:
    """In the narrowest of them, as Python itself is told of it."""
    assert printed(MAIN, "ascii", "list").strip()


@pytest.mark.parametrize("words", [("check", "santurkar2018", "--cases", "1"), ("watch", "--once"), ("report",)])
def test_commands_print_in_any_encoding(words: tuple[str, ...], folder: Path, tmp_path: Path) -> None:
    """Forked, on streams with the encoder that Python would give them; the page that `report` writes is UTF-8."""
    words = (*words, *([str(folder)] if words[0] in ("watch", "report") else []))
    done = warm.run(["-c", NARROW + MAIN, *words], cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()
    assert done.stdout.isascii()
    if words[0] == "report":
        assert not (folder / "report.html").read_text(encoding="utf-8").isascii()


def test_utf8_stays_as_it_is(folder: Path) -> None:
    """The same line, with its letters."""
    assert "β" in printed(MAIN, "utf-8", "watch", "--once", folder)
