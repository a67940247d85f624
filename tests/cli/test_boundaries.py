"""What makes no sense is refused before any work, in words that name the option, or the file, line and key."""

import contextlib
import io
import re
from pathlib import Path

import pytest

from clinometer.cli.app import main

STUDY = """
name: tiny
model: stubborn:net
optimizer: stubborn:Stubborn
factors:
  how: [exits, interrupts]
  lr: [0.1, 0.25]
seeds: 1
steps: 4
claims:
  - id: C
    quantity: landscape.beta
    rule: ratio below 1
    compare: {lr: 0.25}
    to: {lr: 0.1}
"""


def refused(folder: Path, text: str, *words: str) -> str:
    """The one line that a study is refused with, with status 2; nothing is left beside it."""
    (folder / "study.yaml").write_text(text)
    err = io.StringIO()
    with contextlib.redirect_stderr(err), pytest.raises(SystemExit) as ended:
        main(["run", str(folder / "study.yaml"), *words, "--to", str(folder / "out")])
    assert ended.value.code == 2, err.getvalue()
    assert [path.name for path in folder.iterdir()] == ["study.yaml"]
    assert err.getvalue().count("\n") == 1
    return err.getvalue().replace(f"{folder}/", "")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--lr", "nan"], "--lr: factors.lr[0]: expected a finite number; found nan."),
        (["--lr", "0.1", "-inf"], "--lr: factors.lr[1]: expected a finite number; found -inf."),
        (["--lr", "1e999"], "--lr: factors.lr[0]: expected a finite number; found inf."),
        (["--lr", "-0.1"], "Invalid learning rate: -0.1"),
        (["--lr", "0.1", "1e-1"], "--lr: factors.lr: 0.1 is there twice, as 0.1 and as 0.1."),
        (["--seeds", "0"], "--seeds must be at least 1; found 0."),
        (["--seeds", "100000000000"], "--seeds must be at most 10000; found 100000000000."),
        (["--jobs", "0"], "--jobs must be at least 1; found 0."),
        (["--checkpoint-every", "nan"], "--checkpoint-every must be a positive number of seconds; found nan."),
        (["--checkpoint-every", "inf"], "--checkpoint-every must be a positive number of seconds; found inf."),
        (["--on", "ray", "--cpus-per-run", "nan"], "must be a part of one, or a whole number; found nan."),
        (["--on", "ray", "--gpus-per-run", "inf"], "must be a part of one, or a whole number; found inf."),
        (["--on", "ray", "--cpus-per-run", "-1"], "must be a part of one, or a whole number; found -1."),
    ],
)
def test_numbers_that_make_no_sense(words: list[str], expected: str, tmp_path: Path) -> None:
    """Each would be trained with, or waited for, or would fail somewhere inside."""
    assert expected in refused(tmp_path, STUDY, *words)


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("compare: {lr: 0.25}", "compare: {lr: 0.2}",
         "study.yaml, line 14: claims[0].compare.lr: lr has no level 0.2; there are 0.1, 0.25. Did you mean 0.25?"),
        ("to: {lr: 0.1}", "to: {lr: '0.1'}",
         "study.yaml, line 15: claims[0].to.lr: lr has no level 0.1; there are 0.1, 0.25. Did you mean 0.1?"),
        ("to: {lr: 0.1}", "to: {lr: 0.1, how: exit}",
         "study.yaml, line 15: claims[0].to.how: how has no level exit; there are exits, interrupts. "
         "Did you mean exits?"),
        ("to: {lr: 0.1}", "to: {batch_size: 32}",
         "study.yaml, line 15: claims[0].to.batch_size: batch_size has no level 32; there are 64. Did you mean 64?"),
        ("to: {lr: 0.1}", "to: {lrr: 0.1}", "study.yaml, line 15: claims[0].to.lrr: no factor 'lrr'"),
        ("landscape.beta", "landscape.bta", "no field of landscape called 'bta'"),
        ("landscape.beta", "sharpness.beta", "no rows of a probe called 'sharpness'"),
        ("lr: [0.1, 0.25]", "lr: [.nan]", "study.yaml, line 7: factors.lr[0]: expected a finite number; found nan."),
        ("lr: [0.1, 0.25]", "lr: [inf]", "study.yaml, line 7: factors.lr[0]: expected a finite number; found inf."),
        ("seeds: 1", "seeds: true", "study.yaml, line 8: seeds: expected a whole number of at least 1; found True."),
    ],
)  # fmt: skip
def test_levels_and_quantities_that_no_run_has(before: str, after: str, expected: str, tmp_path: Path) -> None:
    """A claim on them would be undecided for ever, which is found out after the training."""
    assert expected in refused(tmp_path, STUDY.replace(before, after))


def test_a_level_that_the_command_line_leaves_out_is_no_slip(tmp_path: Path) -> None:
    """It is in the file; the study is refused for something else, which is looked for later."""
    said = refused(tmp_path, STUDY.replace("landscape.beta", "landscape.bta"), "--lr", "0.1")
    assert "no field of landscape called 'bta'" in said


CODE = """
import ctypes, os, sys
from torch import nn
def model(how):
    exec(how)
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
"""


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ("sys.exit('why')", r"study.yaml, line 3: model: called with .*, it raised SystemExit: why"),
        ("sys.exit(0)", r"study.yaml, line 3: model: called with .*, it raised SystemExit: 0"),
        ("os._exit(0)", r"study.yaml: .* ended with exit status 0 before its work was done"),
        ("raise KeyboardInterrupt", r"study.yaml: .* KeyboardInterrupt"),
        ("ctypes.string_at(0)", r"study.yaml: .* killed: SIGSEGV"),
    ],
)
def test_a_model_that_ends_its_process_is_refused(how: str, expected: str, tmp_path: Path) -> None:
    """Before any run, and not with the status that it asks for; the command's own process goes on."""
    text = f"name: tiny\nfactors: {{how: {how!r}, lr: 0.1}}\nmodel: own_{tmp_path.name}:model\n"
    (tmp_path / "beside").mkdir()
    (tmp_path / "beside" / f"own_{tmp_path.name}.py").write_text(CODE)
    (tmp_path / "beside" / "study.yaml").write_text(text)
    err = io.StringIO()
    with contextlib.redirect_stderr(err), pytest.raises(SystemExit) as ended:
        main(["run", str(tmp_path / "beside" / "study.yaml"), "--to", str(tmp_path / "out")])
    assert ended.value.code == 2
    assert re.search(expected, err.getvalue()), err.getvalue()
    assert not (tmp_path / "out").exists()
