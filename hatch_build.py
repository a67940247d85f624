"""Puts into the wheel what a checkout has beside the package: pages of the documentation, and kept verdicts."""

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class Pages(BuildHookInterface[Any]):
    """Includes `docs/**/*.md` as `clinometer/docs/`, and the claims in `results` as `clinometer/kept/`."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Name the files to include; `version` is `editable` where the package is left in its checkout."""
        if version == "editable":
            return
        docs, kept = Path(self.root) / "docs", Path(self.root) / "results"
        files = {page: f"docs/{page.relative_to(docs)}" for page in sorted(docs.rglob("*.md"))}
        for name in ("claims.json", "made_with.json"):
            files |= {file: f"kept/{file.relative_to(kept)}" for file in sorted(kept.glob(f"*/*/{name}"))}
        build_data["force_include"] |= {str(file): f"clinometer/{place}" for file, place in files.items()}
