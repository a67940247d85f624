"""`--json` on every command: one strict JSON document on standard output, and the keys that docs/json.md tells."""

import json
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from stored import STUDY, keep, study

from clinometer import Store
from clinometer.cli import doctor, main, run_study, status
from clinometer.cli.answer import Answer, as_json
from clinometer.cli.app import COMMANDS
from clinometer.cli.installed import Requirement
from clinometer.studies.plan import plan
from clinometer.studies.study_folder import open_study_folder
from clinometer.training.study_file import write_study

PAGE = Path(__file__).parent.parent.parent / "docs" / "json.md"
SCRIPT = """
import torch
print("said by the script")
def loss_fn(model, batch): return model(batch).square().mean()
def parts():
    model = torch.nn.Linear(3, 1)
    batches = list(torch.randn(8, 3, generator=torch.Generator().manual_seed(0)).split(1))
    return model, loss_fn, batches, torch.optim.SGD(model.parameters(), lr=0.1)
"""
CALLS: Mapping[str, tuple[str, ...]] = {
    "reproduce": ("reproduce santurkar2018 --only theorem_4_1 --to theorems",),
    "run": ("run study.yaml --jobs 1 --to own",),
    "plan": ("plan santurkar2018 --pilot pilot --max-seeds 5",),
    "check": ("check santurkar2018 --only theorem_4_1 --cases 3",),
    "status": ("status a",),
    "report": ("report mine", "report pilot --tex", "report mine --read-only", "report pilot --read-only"),
    "watch": ("watch mine --once",),
    "export": ("export a --to tables --format csv",),
    "compare": ("compare a b", "compare mine other --to page.html"),
    "merge": ("merge a b --to all",),
    "lr": ("lr script_for_json:parts",),
    "list": ("list", "list santurkar2018"),
    "explain": ("explain", "explain beta"),
    "doctor": ("doctor",),
}


def call(capfd: pytest.CaptureFixture[str], line: str) -> tuple[int, dict[str, Any]]:
    """The status of a command, and its document; `parse_constant` is called for NaN and Infinity alone."""
    with pytest.raises(SystemExit) as ended:
        main([*line.split(), "--json"])
    said = capfd.readouterr().out
    assert said.count("\n") == 1
    assert said.isascii()
    return int(str(ended.value.code)), json.loads(said, parse_constant=pytest.fail)


def documented(command: str) -> set[str]:
    """The keys in the first column of a command's tables."""
    return keys_under(f"clinometer {command}")


def keys_under(heading: str) -> set[str]:
    section = PAGE.read_text().partition(f"## {heading}\n")[2].partition("\n## ")[0]
    cells = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    return {key for cell in cells for key in re.findall(r"`(\w+)`", cell)}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What the commands of `CALLS` are given: studies, recorders' folders, a pilot, a study's file and a script."""
    monkeypatch.chdir(tmp_path)
    for name, seeds in {"a": (0, 1), "b": (1, 2)}.items():
        for seed in seeds:
            keep(tmp_path / name, {"seed": seed}, {0: {"p": {"x": float(seed)}}})
        write_study(tmp_path / name, {"study": "mine", "scale": "smoke"})
    for name in ("mine", "other"):
        store = Store(tmp_path / name / "rows.sqlite")
        for step in range(20):
            store.append(step, {"landscape": {"loss": math.inf if step == 3 else 2.5, "beta": 3.0 + step % 3}})
        store.close()
    planned = plan(STUDY, "smoke", ["figure_01"], seeds=3, first_seed=0)
    open_study_folder(tmp_path / "pilot", planned, {"only": "figure_01", "seeds": 3})
    study(tmp_path / "pilot", list(STUDY.figures["figure_01"].arms(planned.bases)))
    (tmp_path / "study.yaml").write_text(
        "name: own\nmodel: stubborn:net\noptimizer: stubborn:Stubborn\nfactors: {how: [changes all]}\n"
    )
    (tmp_path / "script_for_json.py").write_text(SCRIPT)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("CLINOMETER_MODULES", str(tmp_path))
    monkeypatch.setattr(run_study, "run_all", lambda *_, **__: [])
    monkeypatch.setattr(doctor, "requirements", lambda: [Requirement("numpy", ">=1.26", "")])
    monkeypatch.setattr(doctor, "page_error", lambda: "")
    return tmp_path


@pytest.mark.parametrize("command", CALLS)
def test_every_command_prints_one_document(command: str, folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Descriptors are captured, so that nothing can be printed beside it. Each key is documented, and each is there."""
    assert CALLS.keys() == COMMANDS.keys() - {"mcp"}  # which answers whoever asks, and not once
    found: set[str] = set()
    for line in CALLS[command]:
        status, document = call(capfd, line)
        assert "error" not in document, document
        assert status == 0
        found |= document.keys()
    assert found == documented(command)


def test_an_error_is_a_document_with_the_same_status(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Bad input, an unknown command, an option without its value, and code that ends the process."""
    for line in ("status nowhere", "statsu a", "export a", "lr script_for_json:nothing"):
        with pytest.raises(SystemExit) as plain:
            main(line.split())
        capfd.readouterr()
        status, document = call(capfd, line)
        assert status == plain.value.code == 2
        assert [*document] == ["error"]
        assert document["error"]
    (folder / "leaves.py").write_text("raise SystemExit('why')")
    status, document = call(capfd, "lr leaves:train")
    assert status in (1, 2)
    assert "SystemExit" in document["error"]


def test_the_keys_of_rows_are_documented(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Of claims, their parts, theorems and the numbers of two runs: what is printed, against the page's tables."""
    study = call(capfd, "report pilot")[1]
    rows = {
        "claims": study["claims"],
        "parts": [part for row in study["claims"] for part in (*row["parts"], *row["beside"])],
        "theorems": call(capfd, "check santurkar2018 --only theorem_4_1 --cases 3")[1]["theorems"],
        "numbers": call(capfd, "compare mine other")[1]["numbers"],
    }
    for name, found in rows.items():
        assert found
        assert all(row.keys() == keys_under(f"The rows of {name}") for row in found), name


def test_an_error_that_nobody_foresaw_is_a_document(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """An exception that no command expects, as of a study's code: status 1; its traceback is on standard error."""

    def broken(_: Path) -> None:
        raise RuntimeError("the code is wrong")

    monkeypatch.setattr(status, "status", broken)
    with pytest.raises(SystemExit, match="1"):
        main(["status", "a", "--json"])
    said = capfd.readouterr()
    assert said.out == '{"error": "RuntimeError: the code is wrong"}\n'
    assert "Traceback" in said.err
    with pytest.raises(RuntimeError):
        main(["status", "a"])


def test_numbers_that_are_not_finite_are_null(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """A loss that was infinite at a step; and each kind of value that a command may find."""
    assert call(capfd, "watch mine --once")[1]["quantities"]["landscape/loss"]["highest"] is None
    assert as_json({"x": (math.nan, -math.inf, 1.5), "path": Path("a")}) == '{"x": [null, null, 1.5], "path": "a"}'
    assert Answer({"x": 1}, error="no").document() == '{"x": 1, "error": "no"}'


def test_help_is_not_in_the_way(capfd: pytest.CaptureFixture[str]) -> None:
    """It is told on standard error; the document is empty, and a document."""
    assert call(capfd, "list --help") == (0, {})
