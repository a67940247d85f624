"""`merge`: one study from several folders, whole or not at all."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from stored import BASES, keep, study

from clinometer import Store, load
from clinometer.results.merge import merge
from clinometer.training.config import grid
from clinometer.training.study_file import read_study, write_study

ROWS = {0: {"p": {"x": 1.0}}, 1: {"p": {"x": 2.0}}}


def part(folder: Path, *seeds: int, rows: Any = ROWS, **environment: Any) -> list[Path]:
    """One machine's part of a study."""
    folder.mkdir(exist_ok=True)
    facts = {"study": "mine", "scale": "smoke", "bases": {}, "only": "", "seeds": len(seeds), "command": "make it"}
    write_study(folder, facts)
    return [keep(folder, {"seed": seed}, rows, environment=environment) for seed in seeds]


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_parts_of_a_study_become_one(tmp_path: Path) -> None:
    """Two machines with a seed in common: every run's files are there, bit for bit, and the parts are as they were."""
    part(tmp_path / "a", 0, 1)
    part(tmp_path / "b", 1, 2, 3)
    before = files(tmp_path)
    found = merge([tmp_path / "a", tmp_path / "b"], tmp_path / "all")
    assert (found.copied, found.equal, found.kept, found.unfinished) == (4, 1, 0, 0)
    merged = files(tmp_path / "all")
    facts = json.loads(merged.pop("study.json"))
    assert merged == {name: data for p in "ab" for name, data in files(tmp_path / p).items() if name != "study.json"}
    assert {name: data for name, data in files(tmp_path).items() if not name.startswith("all")} == before
    assert (facts["study"], facts["scale"], facts["seeds"]) == ("mine", "smoke", 3)
    assert load(tmp_path / "all").p_x.sizes == {"seed": 4, "step": 2}


def test_a_study_that_was_split_is_whole_again(tmp_path: Path) -> None:
    """Seeds taken apart into two folders: what `load` sees of the merged one is what it sees of the original."""
    runs = study(tmp_path / "whole", grid(BASES["vgg"], norm=["none", "batch"]), 2)
    for seed, name in enumerate("ab"):
        part(tmp_path / name)
        for config in runs.configs:
            if config.seed == seed:
                shutil.copytree(tmp_path / "whole" / "runs" / config.key, tmp_path / name / "runs" / config.key)
    assert merge([tmp_path / "a", tmp_path / "b"], tmp_path / "all").copied == 4
    assert load(tmp_path / "all").equals(load(tmp_path / "whole"))


def test_the_same_config_with_other_rows_is_an_error_unless_the_first_is_kept(tmp_path: Path) -> None:
    """Both folders are named, nothing is left behind; with `keep_first` the first's rows are there."""
    [first] = part(tmp_path / "a", 0)
    [second] = part(tmp_path / "b", 0, rows={0: {"p": {"x": 1.0}}, 1: {"p": {"x": 3.0}}})
    with pytest.raises(ValueError, match=f"{first} and {second} have the same config and .* from step 1 on"):
        merge([tmp_path / "a", tmp_path / "b"], tmp_path / "all")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]
    found = merge([tmp_path / "b", tmp_path / "a"], tmp_path / "all", keep_first=True)
    assert (found.copied, found.kept) == (1, 1)
    assert load(tmp_path / "all").p_x.values.tolist() == [1.0, 3.0]


def test_equal_rows_of_another_machine_are_equal_runs(tmp_path: Path) -> None:
    """Their files differ, in what the environment says; their rows do not."""
    part(tmp_path / "a", 0, processor="slow")
    part(tmp_path / "b", 0, processor="fast")
    assert merge([tmp_path / "a", tmp_path / "b"], tmp_path / "all").equal == 1
    [environment] = (tmp_path / "all" / "runs").glob("*/environment.json")
    assert json.loads(environment.read_text()) == {"processor": "slow"}


def test_differing_fingerprints_are_said_unless_stale_runs_are_kept(tmp_path: Path) -> None:
    """The part that differs is named; other data sets, of which only some runs speak, differ in nothing."""
    part(
        tmp_path / "a", 0, fingerprint={"code": {"train": "11", "store": "5"}, "data": {"digits": "1"}, "torch": "2.12"}
    )
    part(tmp_path / "b", 1, fingerprint={"code": {"train": "11"}, "data": {"cifar10": "9"}, "torch": "2.12"})
    assert merge([tmp_path / "a", tmp_path / "b"], tmp_path / "ab").copied == 2
    part(tmp_path / "c", 2, fingerprint={"code": {"train": "12"}, "torch": "2.13"})
    with pytest.raises(ValueError, match=r"differ in code train \(11, and 12\), torch \(2\.12, and 2\.13\)"):
        merge([tmp_path / "a", tmp_path / "b", tmp_path / "c"], tmp_path / "all")
    assert not (tmp_path / "all").exists()
    assert merge([tmp_path / p for p in "abc"], tmp_path / "all", keep_stale=True).copied == 3


def test_unfinished_runs_and_logs_stay_behind(tmp_path: Path) -> None:
    """A run in mid-air, and the traceback of another; not a checkpoint, nor a page, is taken."""
    [done] = part(tmp_path / "a", 0)
    begun = tmp_path / "a" / "runs" / "0123456789abcdef"
    Store(begun / "rows.sqlite").append(0, {"p": {"x": 1.0}})
    (tmp_path / "a" / "runs" / "1123456789abcdef.error.txt").write_text("Traceback")
    (done / "checkpoint").mkdir()
    (done / "checkpoint" / "5-abc.safetensors").write_text("weights")
    (tmp_path / "a" / "report.html").write_text("page")
    assert merge([tmp_path / "a"], tmp_path / "all").unfinished == 1
    kept = {f"runs/{done.name}/{name}.json" for name in ("config", "environment", "done")}
    assert set(files(tmp_path / "all")) == {"study.json", f"runs/{done.name}/rows.sqlite", *kept}


@pytest.mark.parametrize("name", ["config.json", "environment.json", "rows.sqlite", "done.json"])
@pytest.mark.parametrize("damage", ["flipped", "gone"])
def test_a_damaged_run_is_named_and_nothing_is_made(tmp_path: Path, name: str, damage: str) -> None:
    """A flipped bit in the middle, and a lost file, in each of a run's; without done.json it is no finished run."""
    [folder] = part(tmp_path / "a", 0)
    data = bytearray((folder / name).read_bytes())
    (folder / name).unlink()
    if damage == "flipped":
        data[len(data) // 2] ^= 1
        (folder / name).write_bytes(data)
    elif name == "done.json":
        assert merge([tmp_path / "a"], tmp_path / "all").unfinished == 1
        return
    with pytest.raises(ValueError, match=f"{folder}.*{name if damage == 'gone' else 'is damaged'}"):
        merge([tmp_path / "a"], tmp_path / "all")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_no_link_is_followed_and_no_name_leaves_the_folder(tmp_path: Path) -> None:
    """A run that is a link, each file that is one, all runs behind one, and names that are no hash: refused."""
    [folder] = part(tmp_path / "a", 0)
    [outside] = part(tmp_path / "b", 1)
    link = folder.with_name(outside.name)
    link.symlink_to(outside)
    with pytest.raises(ValueError, match=f"{link} is no run"):
        merge([tmp_path / "a"], tmp_path / "all")
    link.unlink()
    for name in ("config.json", "environment.json", "rows.sqlite", "done.json"):
        (folder / name).rename(tmp_path / "kept")
        (folder / name).symlink_to(tmp_path / "kept")
        with pytest.raises(ValueError, match=f"{folder / name} is not a plain file"):
            merge([tmp_path / "a"], tmp_path / "all")
        (folder / name).unlink()
        (tmp_path / "kept").rename(folder / name)
    for name in ("..x", "0123456789abcdeg", "0123456789ABCDEF", "0123456789abcdef0", " ", "0123456789abcdef\n"):
        stray = folder.with_name(name)
        stray.mkdir()
        with pytest.raises(ValueError, match="is no run: expected a folder named by 16"):
            merge([tmp_path / "a"], tmp_path / "all")
        stray.rmdir()
    (tmp_path / "c").mkdir()
    shutil.copy(tmp_path / "a" / "study.json", tmp_path / "c")
    (tmp_path / "c" / "runs").symlink_to(tmp_path / "a" / "runs")
    with pytest.raises(ValueError, match="runs is not a folder"):
        merge([tmp_path / "c"], tmp_path / "all")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b", "c"]


def test_other_studies_and_taken_folders_are_refused(tmp_path: Path) -> None:
    """Another scale, a folder that is none, one that is not empty, and none at all."""
    part(tmp_path / "a", 0)
    part(tmp_path / "b", 1)
    other = {"study": "mine", "scale": "laptop", "bases": {}}
    write_study(tmp_path / "b", other)
    with pytest.raises(ValueError, match="are different studies: they differ in scale"):
        merge([tmp_path / "a", tmp_path / "b"], tmp_path / "all")
    with pytest.raises(ValueError, match="holds no clinometer study"):
        merge([tmp_path / "a", tmp_path], tmp_path / "all")
    with pytest.raises(ValueError, match="is there already"):
        merge([tmp_path / "a"], tmp_path / "b")
    with pytest.raises(ValueError, match="expected the folders"):
        merge([], tmp_path / "all")


def test_what_was_asked_for_is_joined(tmp_path: Path) -> None:
    """Figures of both, all where one asked for all; the most seeds."""
    part(tmp_path / "a", 0)
    part(tmp_path / "b", 1)
    for name, only, seeds in (("a", "figure_01,C2", 2), ("b", "C2,figure_03", 5)):
        write_study(tmp_path / name, {**read_study(tmp_path / name), "only": only, "seeds": seeds})
    merge([tmp_path / "a", tmp_path / "b"], tmp_path / "all")
    facts = json.loads((tmp_path / "all" / "study.json").read_text())
    assert (facts["only"], facts["seeds"]) == ("figure_01,C2,figure_03", 5)
    assert facts["command"].startswith("clinometer merge ")
    part(tmp_path / "c", 2)
    merge([tmp_path / "a", tmp_path / "c"], tmp_path / "more")
    assert json.loads((tmp_path / "more" / "study.json").read_text())["only"] == ""
