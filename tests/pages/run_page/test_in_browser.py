"""Pages of runs in a real browser: one that is well, one that diverged, and one with a probe of a user's own."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from browser import check_page, show
from torch import nn

from clinometer import Recorder, every, headroom, landscape, step_norms
from clinometer.pages.run_page.page import report_run
from clinometer.probes.base import Probe, Step
from clinometer.probes.field import Field
from clinometer.store import Store


def trained(folder: Path, rate: float, probes: Mapping[str, Probe] | list[Probe], steps: int = 12) -> Path:
    """The page of a short run of a small network."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=rate)
    inputs = torch.randn(32, 4)

    def loss_fn(model: nn.Module, x: torch.Tensor) -> torch.Tensor:
        return (model(x) - x[:, :1]).square().mean()

    recorder = Recorder(model, loss_fn, probes, every(1), optimizer=optimizer, to=folder)
    for _ in range(steps):
        with recorder.step(inputs):
            loss_fn(model, inputs).backward()
            optimizer.step()
            optimizer.zero_grad()
    recorder.store.close()
    report_run(folder)
    assert (folder / "report.html").stat().st_size < 2_000_000
    return folder / "report.html"


def test_a_run_that_is_well(tmp_path: Path, page: Any) -> None:
    """A small rate: the first thing that is read says stable, and names the layer with its type."""
    probes = [headroom(), headroom(blocks="layers"), landscape(), step_norms()]
    path = trained(tmp_path / "well", 0.05, probes)
    check_page(page, path)
    said = page.locator(".verdict").inner_text()
    assert said.startswith("Stable")
    assert "λ_c·lr/2 peaked at" in said
    assert "Linear 4→8" in said or "Linear 8→1" in said
    box = page.locator(".verdict").bounding_box()
    assert box["y"] + box["height"] < 400, "it is seen without scrolling"
    assert page.locator("#headroom_blocks-layers image").count() == 2  # cells, and the bar of their colours


def test_a_run_that_diverged(tmp_path: Path, page: Any) -> None:
    """A rate far beyond 2/λ, until the loss is infinite: said, and marked in the charts."""
    path = trained(tmp_path / "lost", 1e6, [headroom(), step_norms()], steps=30)
    check_page(page, path)
    assert page.locator(".verdict").inner_text().startswith("Diverged")
    assert "diverged" in page.locator("#step_norms-numbers .legend").inner_text()


def test_a_probe_of_a_users_own(tmp_path: Path, page: Any) -> None:
    """Drawn by its declarations, with what they mean; the field without a picture is named."""

    def mine(step: Step) -> dict[str, Any]:
        return {
            "speed": step.loss,
            "share": torch.tensor([0.5, 2.0]) * step.loss,
            "layer": ["a", "b"],
            "grid": torch.ones(2, 2),
        }

    mine.fields = {  # type: ignore[attr-defined]
        "speed": Field(unit="m / s", meaning="how fast it goes", headline=True, label="v"),
        "share": Field(("layer",), meaning="how much of it each layer does", headline=True, worst="highest", limit=5.0),
    }
    path = trained(tmp_path / "own", 0.05, {"mine": mine})
    check_page(page, path)
    text = page.locator("main").text_content()
    assert "how fast it goes" in text
    assert "how much of it each layer does" in text
    assert page.locator("summary", has_text="Recorded and not drawn: 1 field").count() == 1
    assert {"mine-numbers", "mine-layers", "mine-entries"} <= {
        each.get_attribute("id") for each in page.locator("figure").all()
    }


def test_the_empty_page_is_sound(tmp_path: Path, page: Any) -> None:
    """No row, no chart: what is left is still a page."""
    Store(tmp_path / "rows.sqlite").close()
    report_run(tmp_path)
    show(page, tmp_path / "report.html")
    assert page.errors == []
    assert page.locator(".verdict").inner_text().startswith("Cannot be told")
