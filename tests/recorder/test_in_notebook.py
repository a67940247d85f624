"""A notebook, executed by a real kernel: what its cells show is what a reader of it sees."""

import base64
import io
from typing import Any

import numpy as np
import pytest

nbclient = pytest.importorskip("nbclient")
nbformat = pytest.importorskip("nbformat")
Image = pytest.importorskip("PIL.Image")

CELLS = (
    """
import warnings
import torch
from torch import nn
import clinometer
from clinometer import Objective, Recorder, every, landscape, top_eigenpairs
warnings.simplefilter("error")
torch.manual_seed(0)
model = nn.Sequential(nn.Linear(4, 3), nn.Tanh(), nn.Linear(3, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
def loss_fn(model, batch):
    return (model(batch) - 1).square().mean()
recorder = Recorder(model, loss_fn, [landscape()], every(2), optimizer=optimizer, to="mine")
""",
    "recorder",
    """
recorder.live()
for index in range(10):
    batch = torch.randn(8, 4)
    recorder.step(batch)
    loss_fn(model, batch).backward()
    optimizer.step()
    optimizer.zero_grad()
""",
    "recorder.plot()",
    "clinometer.plot('mine', probes='landscape')",
    "top_eigenpairs(Objective(model, loss_fn, batch), recorder.model.state_dict(), k=2)",
    "import matplotlib.pyplot as plt; plt.get_fignums()",
    "clinometer.plot('mine')",
)


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> list[list[dict[str, Any]]]:
    """What each cell shows, as the kernel's messages have it."""
    folder = tmp_path_factory.mktemp("notebook")
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in CELLS])
    resources = {"metadata": {"path": str(folder)}}
    nbclient.NotebookClient(notebook, timeout=300, kernel_name="python3", resources=resources).execute()
    return [cell["outputs"] for cell in notebook["cells"]]


def html(output: dict[str, Any]) -> str:
    return output["data"]["text/html"]


def ink(output: dict[str, Any]) -> int:
    """How many shades of grey a picture has."""
    with Image.open(io.BytesIO(base64.b64decode(output["data"]["image/png"]))) as image:
        return len(np.unique(np.asarray(image.convert("L"))))


def test_a_recorder_shows_a_dashboard(outputs: list[list[dict[str, Any]]]) -> None:
    """The notebook format has it as HTML, and as one line for readers without."""
    (shown,) = outputs[1]
    assert "no step was measured yet." in html(shown)
    assert shown["data"]["text/plain"] == "Recorder(Sequential, 1 probe, every(2), 0 steps measured, to='mine')"


def test_a_live_dashboard_was_updated(outputs: list[list[dict[str, Any]]]) -> None:
    """One output, and what stands in it was not known when it was first shown: the last measured step."""
    (shown,) = outputs[2]
    assert "5 steps measured" in html(shown)
    assert "β·lr/2" in html(shown)
    assert "<svg" in html(shown)


@pytest.mark.parametrize("cell", [3, 4, 7])
def test_a_plot_shows_once(outputs: list[list[dict[str, Any]]], cell: int) -> None:
    """Pillow reads a picture with ink in it, before pyplot is imported and after."""
    (shown,) = outputs[cell]
    assert ink(shown) > 20


def test_pyplot_has_no_figure_of_ours(outputs: list[list[dict[str, Any]]]) -> None:
    """By pyplot's own list, after two plots."""
    assert outputs[6][0]["data"]["text/plain"] == "[]"


def test_a_result_shows_its_vectors_as_a_table(outputs: list[list[dict[str, Any]]]) -> None:
    """Two eigenvalues, two lines below the heading."""
    (shown,) = outputs[5]
    assert html(shown).count("<tr>") == 3
    assert shown["data"]["text/plain"].startswith("Eigenpairs(values=[")


def test_no_cell_prints_or_fails(outputs: list[list[dict[str, Any]]]) -> None:
    """Warnings are errors in it; the format names what else a cell may put out."""
    assert {output["output_type"] for of in outputs for output in of} <= {"execute_result", "display_data"}
