"""What MkDocs does not do by itself: take in figures that `results/` keeps, and put each page's Markdown beside it."""

import re
import shutil
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[1]
KEPT = re.compile(r"(?<=\]\()(?:\.\./)+(results/[^)#\s]+\.(?:png|svg|html|json))(?=\))")


def on_files(files: Files, config: Any) -> Files:
    """Add the files of `results/` that a page links to: they are kept once, outside of the folder of pages."""
    pages = [file for file in files if file.is_documentation_page() and file.abs_src_path]
    linked = {path for page in pages for path in KEPT.findall(Path(str(page.abs_src_path)).read_text())}
    for path in sorted(linked):
        files.append(File.generated(config, path, abs_src_path=str(ROOT / path)))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Point links out of `docs/` to where those files are in the site."""
    up = "../" * page.file.src_uri.count("/")
    return KEPT.sub(lambda link: up + link[1], markdown)


def on_post_build(config: Any) -> None:
    """Copy each page's source, which `llms.txt` links to: programs read Markdown more easily than a site."""
    docs, site = Path(config["docs_dir"]), Path(config["site_dir"])
    for page in docs.rglob("*.md"):
        copy = site / page.relative_to(docs)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(page, copy)
