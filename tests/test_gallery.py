"""The pages of the quantities show a healthy and a sick run, by pictures that a command makes."""

from pathlib import Path

import gallery
import numpy as np
import pytest
from PIL import Image

from clinometer.probes.registry import PROBES

DOCS = Path(gallery.__file__).parent
BYTES = 25_000


@pytest.mark.parametrize("name", PROBES)
def test_a_quantity_has_its_picture_on_its_page(name: str) -> None:
    """Asked of every probe that the registry has: the page of a new one has no picture until one is made."""
    assert name in gallery.GALLERY
    assert f"](images/gallery/{name}.png)" in (DOCS / f"{name}.md").read_text()
    assert 0 < (gallery.IMAGES / f"{name}.png").stat().st_size < BYTES


@pytest.mark.parametrize("name", ["step_norms", "attention_logits"])
def test_a_picture_is_drawn_anew(name: str, tmp_path: Path) -> None:
    """Pixels read by Pillow: lines of both runs' colours are there. Were a run not drawn, one would be missing."""
    with Image.open(gallery.picture_of(name, tmp_path)) as image:
        pixels = np.asarray(image.convert("RGB"), int)
    for colour in ((0, 114, 178), (213, 94, 0)):  # blue and vermilion of Okabe and Ito
        assert (np.abs(pixels - colour).max(axis=2) < 12).sum() > 300
