"""A page that was written earlier, with the script of now: in a real Chromium, as every page must be."""

from pathlib import Path
from typing import Any

from browser import check_page, coloured
from renew_pages import renewed

KEPT = Path(__file__).parents[3] / "results" / "santurkar2018" / "laptop" / "report.html"


def test_a_kept_page_works_with_the_script_of_now(page: Any, tmp_path: Path) -> None:
    """Chromium and axe judge the largest page that is kept: no error, marks in each figure; an arm can be left out."""
    text = KEPT.read_text(encoding="utf-8")
    (path := tmp_path / "page.html").write_text(renewed(text), encoding="utf-8")
    assert len(path.read_bytes()) < 2_000_000
    assert path.read_text(encoding="utf-8").partition("<body>")[2].partition("<script>")[0] in text, "its numbers stay"
    check_page(page, path)
    before = coloured(page, "#figure_12")
    page.locator("#figure_12 .legend button").nth(1).click()
    assert coloured(page, "#figure_12") < before
    assert page.errors == []
