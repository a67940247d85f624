"""docs/architecture.md names places that exist: each is looked up in the source itself."""

import re
from pathlib import Path

import pytest

import clinometer

SOURCE = Path(clinometer.__file__).parent
PAGE = Path(__file__).parents[1] / "docs" / "architecture.md"
FILE = r"[a-z_0-9]+(?:/[a-z_0-9]+)+\.py"
NAME = r"\b(?:[A-Z]+[a-z]\w*|\w+_\w+|[A-Z]{4,})\b"  # a class, a function of several words, or a table
PLACES = [line for line in PAGE.read_text().splitlines() if re.search(rf"^\||^ *{FILE}", line) and "---" not in line]


@pytest.mark.parametrize("line", PLACES)
def test_the_places_that_the_page_names_exist(line: str) -> None:
    """A reader who follows the page must find each file, and in it the names that stand after it."""
    parts = re.split(f"({FILE})", line.replace("NAME.py", ""))
    for file, names in zip(parts[1::2], parts[2::2], strict=True):
        text = (SOURCE / file).read_text()
        first = re.match(r"`? *`?(\w+)", names)
        for name in {*re.findall(NAME, names.partition("(")[0]), *([first[1]] if first else [])}:
            assert re.search(rf"\b{name}\b", text), f"{name} in {file}"
