"""The page of two runs, its tables on a terminal and its JSON: all say the same numbers, in a real browser too."""

import json
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browser import check_page, show

from clinometer import Store, headroom
from clinometer.cli import main
from clinometer.pages.compare_page.page import write_comparison
from clinometer.pages.compare_page.tables import number_rows
from clinometer.pages.compare_page.words import verdict_text
from clinometer.probes.field import declared_by, to_json
from clinometer.results.compare_runs import compare_runs
from clinometer.writing.report import report

DECLARED = to_json(declared_by({p.__name__: p for p in (headroom(), headroom(blocks="layers"))}))
NAMES = ("<script>alert(1)</script>", "\x1b[2J[red]\u202e", "$x^{2}$ & 'q'")


def run(folder: Path, loss: float, room: float, seed: int, lr: float = 0.1, blocks: tuple[str, ...] = NAMES) -> Path:
    """A run of a hundred steps around these numbers, with blocks whose names would do something."""
    random = np.random.default_rng(seed)
    store = Store(folder / "rows.sqlite")
    store.set_meta(fields=DECLARED, run={"optimizer": {"class": "SGD", "lr": lr, "note": NAMES[0]}})
    for step in range(100):
        around = float(np.exp(0.1 * random.standard_normal()))
        rows: dict[str, Any] = {"train": {"loss": loss * around}, "headroom": {"loss": room * around}}
        rows["headroom_blocks"] = {"block": list(blocks), "loss": [room * around * (1 + n) for n in range(len(blocks))]}
        store.append(step, rows)
    store.close()
    return folder


@pytest.fixture
def two(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """A run, and one with half its loss and twice its headroom."""
    monkeypatch.chdir(tmp_path)
    return run(Path("a"), 1.0, 2.0, 0), run(Path("b"), 0.5, 4.0, 1, lr=0.05)


class Read(HTMLParser):
    """The tags and the text of a page, without what its own script and style hold."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.scripts, self.text, self._inside = 0, "", ""
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._inside = tag
        self.scripts += tag == "script" and ("type", "application/json") not in attrs

    def handle_endtag(self, tag: str) -> None:
        self._inside = "" if tag == self._inside else self._inside

    def handle_data(self, data: str) -> None:
        self.text += data if self._inside not in ("script", "style") else ""


def test_the_page_says_what_the_comparison_says_and_hostile_names_do_nothing(two: tuple[Path, Path]) -> None:
    """Read by a parser of HTML: verdict, every number and interval, one script, and names as text without controls."""
    found = compare_runs({"base": two[0], "mine <i>": two[1]})
    read = Read(write_comparison(found, Path("out/page.html"), "make it"))
    text = " ".join(read.text.split())
    assert verdict_text(found) in text
    for row in number_rows(found):
        for cell in row:
            assert cell in text
    assert read.scripts == 1
    assert NAMES[0] in text
    assert "�[2J[red]�" in text
    assert "\x1b" not in read.text
    assert "lr 0.1 → 0.05" in text


def test_python_writes_the_page_by_the_runs_names(two: tuple[Path, Path]) -> None:
    """The same page as `write_comparison` makes of the same runs; without a file to write it is refused."""
    given = {"base": two[0], "mine": two[1]}
    expected = write_comparison(compare_runs(given), Path("other.html"))
    assert report(given, "out").read_text() == expected.read_text()
    assert Path("out/report.html").is_file()
    with pytest.raises(ValueError, match="has no folder of its own"):
        report(given)


def test_the_page_holds_in_a_browser(two: tuple[Path, Path], page: Any) -> None:
    """In Chromium: no console error, axe clean in both schemes, a phone's width, marks in each figure, chosen names."""
    path = write_comparison(compare_runs({"base": two[0], "mine": two[1]}), Path("page.html"))
    check_page(page, path)
    show(page, path)
    assert page.locator("h1").inner_text() == "mine against base"
    assert page.locator("#numbers tbody tr").first.locator("td").count() >= 4


def call(*words: str) -> int:
    """The status of a command."""
    with pytest.raises(SystemExit) as ended:
        main(list(words))
    return int(str(ended.value.code))


def test_the_command_prints_the_verdict_first_writes_the_page_and_answers_in_json(
    two: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    """Through the command line; the numbers of the JSON are those of the comparison, names are those of the folders."""
    assert call("compare", "a", "b", "--to", "out/page.html") == 0
    said = capsys.readouterr().out
    assert "b is further from the edge" in said
    assert "\x1b" not in said
    assert Path("out/page.html").is_file()
    assert call("compare", "a", "b", "--over", "0", "1", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    found = compare_runs({"a": two[0], "b": two[1]}, over=(0, 1))
    assert told["verdict"] == verdict_text(found)
    assert [number["difference"] for number in told["numbers"]] == [each.difference.value for each in found.compared]
    assert told["settings"] == {"lr": {"base": "0.1", "mine": "0.05"}}
    assert sorted(path.name for path in Path("a").iterdir()) == ["rows.sqlite"], "it was only read"


def test_several_seeds_are_given_with_with(two: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    """Two runs a side through the command line: Welch's interval between seeds, and the sides by their roles."""
    run(Path("a1"), 1.02, 2.1, 2), run(Path("b1"), 0.51, 4.1, 3, lr=0.05)
    assert call("compare", "a", "a1", "--with", "b", "b1") == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "mine is" in said or "mine and base" in said
    assert "2 and 2 runs, each by its median over steps 50 to 99, with Welch's intervals" in said


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["a"], "expected two folders, the base and what is held against it; found 1"),
        (["a", "a"], "a run comes once"),
        (["a", "nowhere"], "nowhere is missing"),
        (["a", "b", "--with", "c"], "the noise between seeds is not known of one run"),
        (["--with", "b"], "expected the base's folders before --with"),
        (["a", "."], "It holds a, b, "),
        (["a", "study"], "a holds one run and study is a study: compare two runs, or two studies"),
        (["a", "broken"], "broken"),
        (["a", "b", "--to", "a/rows.sqlite"], "a page whose name ends in .html"),
        (["a", "b", "--over", "1", "0"], "expected two shares of the steps"),
        (["a", "b", "--quantity", "train.los"], "not all runs have a number train.los"),
    ],
)
def test_mistakes_end_with_status_2_and_one_line(
    two: tuple[Path, Path], capsys: pytest.CaptureFixture[str], words: list[str], expected: str
) -> None:
    """What was wrong, before any page is written."""
    run(Path("c"), 1.0, 2.0, 2)
    Path("study/runs").mkdir(parents=True)
    Path("study/study.json").write_text("{}")
    Path("broken").mkdir()
    Path("broken/rows.sqlite").write_bytes(Path("a/rows.sqlite").read_bytes()[:3000])
    assert call("compare", *words, *(() if "--to" in words else ("--to", "page.html"))) == 2
    said = capsys.readouterr().err
    assert expected in said
    assert said.count("\n") == 1
    assert not Path("page.html").exists()
