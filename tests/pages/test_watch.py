import io
import math
import os
import pty
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console, RenderableType

from clinometer import Store, headroom, internal_shift, landscape
from clinometer.pages.watch import details, views, watch
from clinometer.probes.field import declared_by, to_json
from clinometer.recorder.alerts.alarm import Alarm
from clinometer.recorder.alerts.alarm_rows import FIELDS, ROWS, as_row


def text(shown: RenderableType) -> str:
    out = io.StringIO()
    Console(file=out, width=120).print(shown)
    return out.getvalue()


def lines(shown: RenderableType) -> list[list[str]]:
    """The cells of each line, which two spaces keep apart."""
    return [re.split(r"\s{2,}", line.strip()) for line in text(shown).splitlines() if line.strip()]


def test_headlines_are_shown_with_their_course() -> None:
    """By hand: now, first, lowest, highest; a logarithmic course where it spans a factor of 100."""
    rows = {
        "landscape": {0: {"loss": 4.0, "beta": 1.0, "sizes": [1.0]}, 10: {"loss": 0.04, "beta": 9.0, "sizes": [1.0]}},
        "headroom": {0: {"loss": math.inf}, 10: {"loss": 2.0}, 20: {"loss": math.nan}},
    }
    stored = {p: {s: {f: np.array(v) for f, v in row.items()} for s, row in each.items()} for p, each in rows.items()}
    declared = declared_by({"landscape": landscape(), "headroom": headroom()})
    assert lines(details(stored, declared)) == [
        ["now", "first", "lowest", "highest", "course"],
        ["loss", "0.04", "4", "0.04", "4", "█▁"],
        ["β", "9", "1", "1", "9", "▁█"],
        ["headroom", "nan", "inf", "2", "inf", "∞▁"],
    ]


def test_layers_are_shown_at_their_worst_and_blocks_by_rank() -> None:
    """By hand: the largest shift and smallest cosine; of fourteen blocks the twelve highest, and NaN last."""
    store = Store()
    blocks = [f"[b{i}]" for i in range(14)]
    for step in (0, 10):
        half = [i * (1.0 + step) for i in range(14)] if step == 0 else [math.nan, 99.0, *range(12)]
        store.append(step, {"shift": {"layer": ["a", "b"], "l2": [1.0 + step, 2.0], "cosine": [0.5, math.nan]}})
        store.append(step + 1, {"landscape_blocks": {"block": blocks, "losses": range(14), "beta_lr_half": half}})
    declared = declared_by({"shift": internal_shift(), "landscape_blocks": landscape(blocks="layers")})
    shown = lines(details(store.rows(), declared))
    assert ["shift/l2, largest of 2 layers", "11", "2", "2", "11", "▁█"] in shown
    assert ["shift/cosine, smallest of 2 layers", "0.5", "0.5", "0.5", "0.5", "▁▁"] in shown
    ranking = shown[3:]
    assert ranking[0] == ["landscape_blocks/beta_lr_half", "now", "since the first", "course"]
    assert ranking[1] == ["1", "[b1]", "99", "× 99", "▁█"]
    assert ranking[2] == ["2", "[b13]", "11", "× 0.846", "█▁"]
    assert [row[0] for row in ranking[1:13]] == [str(place) for place in range(1, 13)]
    assert ranking[13:] == [["and 2 more"]]
    assert "[b0]" not in text(details(store.rows(), declared)), "NaN is last"


def test_alarms_stand_under_the_heading_the_newest_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By hand: of five alarms the last three in words and two counted; a run without any has no line for them."""
    monkeypatch.chdir(tmp_path)  # the heading is one line where the folder's name is short
    store = Store("mine/rows.sqlite")
    store.set_meta(fields=to_json({ROWS: FIELDS}))
    look = views(Path("mine"), every=0.001)
    for step in range(6):
        said = [Alarm(step, "mine", "p/x", "[x]", "above", value=float(step), limit=0.5)]
        store.append(step, {"p": {"x": float(step)}} | ({ROWS: as_row(said)} if step else {}))
        shown, new = next(look)
        assert new
        if not step:
            assert lines(shown)[1] == ["now", "first", "lowest", "highest", "course"]
    alarms = [" ".join(line) for line in lines(shown)[1:]]
    told = " ".join(alarms)
    places = [told.index(f"step {step}: [x] is {step}, above 0.5") for step in (5, 4, 3)]
    assert places == sorted(places)
    assert "and 2 alarms before" in alarms
    assert lines(shown)[-1][0] == "p/x", "what alarms hold is no quantity of its own"
    store.close()


def test_rows_are_followed_through_a_resumption_and_a_new_run(tmp_path: Path) -> None:
    """Look by look, against what was written in between; dropped rows and those of a cleared folder are gone."""
    folder = tmp_path / "mine"
    look = views(folder, every=0.001)

    def seen() -> tuple[str, bool]:
        shown, new = next(look)
        return text(shown).replace("\n", " "), new

    assert seen() == (f"waiting for {folder}: no store there yet ", True)
    assert seen()[1] is False
    store = Store(folder / "rows.sqlite")
    assert "no step measured yet" in seen()[0]
    for step in (0, 1, 2):
        store.append(step, {"p": {"x": float(step)}})
        shown, new = seen()
        assert new
        assert re.search(rf"step {step}, {step + 1} measured from 0, the last \d+ s ago", " ".join(shown.split()))
    assert seen()[1] is False
    store.drop_from(1)
    store.append(1, {"p": {"x": 50.0}})
    shown, new = seen()
    assert new
    assert "step 1, 2 measured" in shown
    assert "50" in shown
    other = Store(tmp_path / "other" / "rows.sqlite")
    other.append(1, {"q": {"y": 7.0}})
    other.close()
    store.close()
    shutil.rmtree(folder)
    assert "waiting" in seen()[0]
    (tmp_path / "other").rename(folder)
    shown, _ = seen()
    assert "q/y" in shown
    assert "p/x" not in shown


def test_a_finished_run_is_not_touched(tmp_path: Path) -> None:
    """Byte for byte."""
    store = Store(tmp_path / "rows.sqlite")
    store.append(3, {"p": {"x": 1.5}})
    store.close()
    before = (tmp_path / "rows.sqlite").read_bytes()
    out = io.StringIO()
    watch(tmp_path, Console(file=out, width=120), once=True)
    assert "step 3, 1 measured from 3" in out.getvalue()
    assert (tmp_path / "rows.sqlite").read_bytes() == before


@pytest.mark.parametrize("terminal", [False, True])
def test_a_living_run_is_watched_from_another_process_until_ctrl_c(tmp_path: Path, terminal: bool) -> None:
    """A real terminal or a pipe, started before there is a run: it waits, sees each row, and ends in peace."""
    ours, theirs = pty.openpty() if terminal else os.pipe()
    words = [sys.executable, "-m", "clinometer.cli", "watch", "mine", "--every", "0.05"]
    watching = subprocess.Popen(words, cwd=tmp_path, stdin=subprocess.DEVNULL, stdout=theirs, stderr=subprocess.PIPE)
    os.close(theirs)
    seen = ""

    def until(expected: str) -> None:
        nonlocal seen
        end = time.monotonic() + 60
        while expected not in seen:
            assert time.monotonic() < end, seen
            seen += os.read(ours, 65536).decode(errors="replace")

    until("waiting for mine")
    store = Store(tmp_path / "mine" / "rows.sqlite")
    for step in (0, 100):
        store.append(step, {"landscape": {"loss": 1.0, "beta": 2.0}})
        until(f"step {step}, ")
    os.kill(watching.pid, signal.SIGINT)
    _, said = watching.communicate(timeout=300)
    os.close(ours)
    assert (watching.returncode, said) == (0, b"")
    assert ("\x1b[" in seen) == terminal, "a log gets no cursor movements"
