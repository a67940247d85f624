"""The pages of the documentation, as they are installed with the package: found, and made fit for a terminal."""

import re
from collections.abc import Mapping
from pathlib import Path

import clinometer

_HERE = Path(clinometer.__file__).parent
_FOLDERS = (_HERE / "docs", _HERE.parent.parent / "docs")  # of an installed wheel, and of a checkout

_UNSEEN = re.compile(r"<!--.*?-->\n?|^:::.*\n(?:^    .*\n)*", re.DOTALL | re.MULTILINE)
_PICTURE = re.compile(r"!\[(?P<text>[^\]]*)\]\([^)]*\)")
_LINK = re.compile(r"\[(?P<text>[^\]]+)\]\((?P<page>[\w/.]+)\.md(?:#[\w-]*)?\)")


def pages() -> dict[str, Path]:
    """Each page by its name, such as `landscape` or `symptoms/loss_spikes`; none where they were not installed."""
    for folder in _FOLDERS:
        if (folder / "index.md").is_file():
            found = sorted(folder.rglob("*.md"), key=lambda page: (len(page.parts), page))
            return {page.relative_to(folder).with_suffix("").as_posix(): page for page in found}
    return {}


def title_of(page: Path) -> str:
    """The heading of a page."""
    return page.read_text(encoding="utf-8").partition("\n")[0].lstrip("# ").strip()


def page_with(mark: str, found: Mapping[str, Path]) -> str | None:
    """The page that has a mark, such as `fields landscape`: what fills its tables finds them by these."""
    return next((name for name, page in found.items() if f"<!-- {mark} -->" in page.read_text(encoding="utf-8")), None)


def section_with(mark: str, page: Path) -> str:
    """The section of a page that has a mark, with its heading."""
    sections = re.split(r"^(?=#+ )", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return next(section for section in sections if f"<!-- {mark} -->" in section)


def readable(text: str) -> str:
    """A page's Markdown without what only a browser shows; a link to another page names the command that prints it.

    Example:
        >>> print(readable("<!-- fields x -->![a walk](images/a.png) See [alarms](alerts.md#rates)."))
        (picture: a walk) See alarms (`clinometer explain alerts`).
    """
    text = _PICTURE.sub(r"(picture: \g<text>)", _UNSEEN.sub("", text))
    return _LINK.sub(lambda found: f"{found['text']} (`clinometer explain {found['page'].lstrip('./')}`)", text)
