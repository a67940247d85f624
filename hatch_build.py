"""Puts the pages of the documentation into the wheel, where `clinometer explain` reads them; a checkout has them."""

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class Pages(BuildHookInterface[Any]):
    """Includes `docs/**/*.md` as `clinometer/docs/`."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Name the pages to include; `version` is `editable` where the package is left in its checkout."""
        docs = Path(self.root) / "docs"
        pages = [] if version == "editable" else sorted(docs.rglob("*.md"))
        build_data["force_include"] |= {str(page): f"clinometer/docs/{page.relative_to(docs)}" for page in pages}
