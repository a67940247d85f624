"""Studies that are killed, made twice at once, or damaged: nothing acknowledged is lost, and nothing is done twice.

More of it: `python tests/faults.py --kills 500`.
"""

import dataclasses
import os
import random
import shutil
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from faults import CONFIGS, FIFTY, TWELVE, check_acknowledged, check_records, killed, read, rows, same, victims
from parents import KINDS, WarmParent, family, kill

from clinometer.papers import load_study
from clinometer.papers.santurkar2018.configs import vgg
from clinometer.results.export import export
from clinometer.runner.locks import RunLocks
from clinometer.runner.records import prepare_records, read_record, record_file
from clinometer.runner.scheduler import run_all
from clinometer.store import DamagedError
from clinometer.studies.plan import plan
from clinometer.studies.study_folder import open_study_folder
from clinometer.training.checkpoint import Checkpoint
from clinometer.training.config import RunConfig
from clinometer.training.keeper import Keeper
from clinometer.training.run import run_group
from clinometer.training.run_folder import run_folder, verify
from clinometer.training.study_file import read_study

TINY = vgg(width=1 / 16, steps=12, measure_every=4, test_every=6, batch_size=512)
JUMPING = """
import datetime, random, time
_time, _time_ns, _chance = time.time, time.time_ns, random.Random()
def _jump():
    return _chance.choice([-40, -1, 0, 1, 40]) * 86_400
time.time = lambda: _time() + _jump()
time.time_ns = lambda: _time_ns() + _jump() * 10**9
class datetime_(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return datetime.datetime.fromtimestamp(time.time(), tz)
    utcnow = today = now
datetime.datetime = datetime_
assert max(abs(time.time() - time.time()) for _ in range(50)) > 80_000
"""
WARM, STARTED = pytest.param("warm", marks=pytest.mark.quick), pytest.param("started", marks=pytest.mark.long)
EITHER = pytest.mark.parametrize("start", [WARM, STARTED])  # see `parents.py`


class PowerCutError(Exception):
    """Nothing else raises it."""


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The study undisturbed."""
    folder = tmp_path_factory.mktemp("whole") / "study"
    assert not run_all(CONFIGS, folder, jobs=2)
    return folder


def assert_equal(study: Path, whole: Path) -> None:
    """All runs are done, whole, and equal to the undisturbed ones, bit for bit; and the records say so."""
    for (config, one), (_, other) in zip(rows(study), rows(whole), strict=True):
        assert same(one, other), config
    check_records(study)
    assert not list(study.rglob("*.partial"))


@pytest.mark.parametrize(
    "shares",
    [
        pytest.param(TWELVE, id="12", marks=pytest.mark.quick),
        pytest.param(FIFTY, id="50", marks=pytest.mark.long),
    ],
)
def test_kills_change_nothing(shares: dict[str, int], whole: Path, tmp_path: Path) -> None:
    """SIGKILL at random on runs, on their parent and on the server that forks them; what was done is not made again."""
    kinds = victims(sum(shares.values()), 0, shares)
    assert killed(tmp_path / "study", kinds, start=WarmParent) == shares
    assert_equal(tmp_path / "study", whole)


@EITHER
def test_two_parents_make_every_run_once(start: str, whole: Path, tmp_path: Path) -> None:
    """Both have a part in it and end well; no run is begun anew or ended twice, by the times of its files."""
    study = tmp_path / "study"
    parents = [KINDS[start](study) for _ in range(2)]
    makers: dict[int, set[int]] = {each.pid: set() for each in parents}
    seen: dict[Path, int] = {}
    while any(each.poll() is None for each in parents):
        for each in parents:
            makers[each.pid].update(family(each.pid)["run"])
        for file in (run_folder(study, config) / name for config in CONFIGS for name in ("config.json", "done.json")):
            if file.is_file():
                assert seen.setdefault(file, file.stat().st_mtime_ns) == file.stat().st_mtime_ns
        time.sleep(0.02)
    ended = [each.finish() for each in parents]
    assert [status for status, _ in ended] == [0, 0], ended
    assert all(makers.values())
    assert_equal(study, whole)


@EITHER
def test_clocks_jump_and_a_parent_dies(start: str, whole: Path, tmp_path: Path) -> None:
    """Two parents whose clocks jump by days at every look, as do those of their runs; one is killed in the midst.

    The other, and one that comes later, make the rest.
    """
    study = tmp_path / "study"
    first, second = (KINDS[start](study, JUMPING) for _ in range(2))
    done: dict[RunConfig, int] = {}
    while not (done and family(first.pid)["run"]):
        assert first.poll() is None, first.finish()
        check_acknowledged(study, done)
        time.sleep(0.02)
    assert kill(first.pid)
    third = KINDS[start](study, JUMPING)
    for each in (second, third):
        status, printed = each.finish(timeout=400)
        assert status == 0, printed
    first.finish()
    check_acknowledged(study, done)
    assert_equal(study, whole)


def flip(file: Path, chance: random.Random) -> None:
    """Change one byte, anywhere."""
    file.write_bytes(flipped(file.read_bytes(), chance))


def flipped(held: bytes, chance: random.Random) -> bytes:
    data = bytearray(held)
    data[chance.randrange(len(data))] ^= chance.randrange(1, 256)
    return bytes(data)


def outcomes(file: Path, load: Callable[[], object], times: int) -> list[str]:
    """What becomes of a file with one byte changed, at that many places: refused by its name, or read as it was."""
    good, truth, found = file.read_bytes(), load(), list[str]()
    for place in range(times):
        flip(file, random.Random(place))
        try:
            said = "" if same(load(), truth) else "read as something else"
        except DamagedError as error:
            said = str(error)
        assert not said or f"{file.name} is" in said, said
        found.append("named" if said else "harmless")
        for beside in file.parent.glob(f"{file.name}-*"):
            beside.unlink()
        file.write_bytes(good)
    return found


def test_a_flipped_byte_of_a_finished_run_is_named_and_the_run_is_made_again(whole: Path, tmp_path: Path) -> None:
    """Twenty places in each of its files; then one file in each of four runs, and the same call mends them all."""
    study = shutil.copytree(whole, tmp_path / "study")
    for name in ("config.json", "environment.json", "rows.sqlite"):
        folder = run_folder(study, CONFIGS[0])
        assert outcomes(folder / name, lambda folder=folder: verify(folder), 20) == ["named"] * 20
    assert outcomes(folder / "done.json", lambda: verify(folder), 20).count("named") > 15  # blanks say nothing
    damaged = dict(zip(CONFIGS, ("config.json", "environment.json", "rows.sqlite", "done.json"), strict=False))
    for number, (config, name) in enumerate(damaged.items()):
        file = run_folder(study, config) / name
        while file.read_bytes().split() == (run_folder(whole, config) / name).read_bytes().split():
            flip(file, random.Random(number))
    said: list[str] = []
    assert not run_all(CONFIGS, study, jobs=2, notify=said.append)
    for config, name in damaged.items():
        (line,) = [line for line in said if config.key in line]
        assert f"is damaged: {name} is not what was written. It is kept as {config.key}.damaged, and made again" in line
    assert len(said) == 4
    assert_equal(study, whole)


def test_a_flipped_byte_of_a_record_is_named_and_it_is_made_again(whole: Path, tmp_path: Path) -> None:
    """Sixty places; read alone, and by a study that goes on, which keeps the damaged one and asks the run's folder."""
    config = CONFIGS[0]
    file = record_file(tmp_path, config.key)
    file.parent.mkdir()
    shutil.copy(record_file(whole, config.key), file)
    truth = read_record(tmp_path, config.key)
    found = outcomes(file, lambda: dataclasses.asdict(read_record(tmp_path, config.key)), 60)
    assert found.count("named") > 40  # all but blanks between words
    good, locks = file.read_bytes(), RunLocks(tmp_path)
    for place, what in enumerate(found):
        flip(file, random.Random(place))
        said: list[str] = []
        prepare_records(tmp_path, {config.key: dataclasses.asdict(config)}, [config.key], locks, said.append)
        again = read_record(tmp_path, config.key)
        assert (again.state, again.config) == ("done", truth.config)
        assert said == [line for line in said if f"It is kept as {file.name}.damaged, and made again." in line]
        assert len(said) == (what == "named")
        file.write_bytes(good)


def test_lost_records_are_named_and_made_again(whole: Path, tmp_path: Path) -> None:
    """All of them: the runs' folders say that the runs are done, and none is made again."""
    study = shutil.copytree(whole, tmp_path / "study")
    shutil.rmtree(study / "records")
    done: dict[RunConfig, int] = {}
    check_acknowledged(study, done)
    said: list[str] = []
    assert not run_all(CONFIGS, study, jobs=2, notify=said.append)
    keys = ", ".join(config.key for config in CONFIGS[:3])
    assert said == [f"{study / 'records'} lacked the records of {keys} and 5 more runs. They are made again."]
    check_acknowledged(study, done)
    assert {read_record(study, config.key).state for config in CONFIGS} == {"done"}


def test_a_flipped_byte_of_what_was_asked_for_is_named(tmp_path: Path) -> None:
    """Sixty places in study.json: only those between its words say nothing.

    Without it the folder is still known as a study's, and the command that made it writes the file as it was.
    """
    planned = plan(load_study("santurkar2018"), "smoke", ["figure_02"])
    open_study_folder(tmp_path, planned, {"seeds": None})
    with RunLocks(tmp_path).attempt(TINY.key) as acquired:
        assert acquired
    file = tmp_path / "study.json"
    good = file.read_bytes()
    assert outcomes(file, lambda: read_study(tmp_path), 60).count("named") > 40
    flip(file, random.Random(0))
    with pytest.raises(
        DamagedError, match=r"study\.json is damaged.* If you delete it, the command that made the study"
    ):
        open_study_folder(tmp_path, planned, {"seeds": None})
    file.unlink()
    open_study_folder(tmp_path, planned, {"seeds": None})
    assert file.read_bytes() == good


def test_a_flipped_byte_of_an_exported_table_is_refused_where_its_checksums_are_asked_for(
    whole: Path, tmp_path: Path
) -> None:
    """Forty places in the pages of a Parquet file, the footer being the reader's to check."""
    export(whole, tmp_path / "out")
    file = tmp_path / "out" / "landscape.parquet"
    good = file.read_bytes()
    pages = len(good) - 8 - int.from_bytes(good[-8:-4], "little")
    truth = pq.read_table(file).to_pandas()  # where NaN equals NaN
    refused = 0
    for place in range(40):
        file.write_bytes(flipped(good[:pages], random.Random(place)) + good[pages:])
        try:
            assert pq.read_table(file, page_checksum_verification=True).to_pandas().equals(truth)
        except (OSError, pa.ArrowInvalid):  # a checksum, or a page header whose lengths no longer fit
            refused += 1
    assert refused > 20


@pytest.fixture(scope="module")
def interrupted(tmp_path_factory: pytest.TempPathFactory) -> dict[RunConfig, Path]:
    """Two runs that were interrupted after their fifth checkpoint, and what `TINY` comes to if it is not."""
    made = {TINY: tmp_path_factory.mktemp("runs") / "half"}
    made[TINY.vary(seed=1)] = made[TINY].with_name("other")
    keep = Keeper.save
    for config, folder in made.items():
        saved: list[int] = []

        def save(keeper: Keeper, checkpoint: Checkpoint, saved: list[int] = saved) -> None:
            if len(saved) == 5:
                raise PowerCutError
            saved.append(checkpoint.step)
            keep(keeper, checkpoint)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Keeper, "save", save)
            with pytest.raises(PowerCutError):
                run_group({config: folder}, every=0.0)
    run_group({TINY: made[TINY].with_name("whole")})
    return made


def goes_on(interrupted: dict[RunConfig, Path], folder: Path, harm: Callable[[Path], object]) -> list[str]:
    """Go on with a copy of the run that was harmed; it must end as the whole one did. What was warned of."""
    shutil.copytree(interrupted[TINY], folder)
    harm(folder)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        run_group({TINY: folder})
    assert same(read(folder), read(interrupted[TINY].with_name("whole")))
    shutil.rmtree(folder)
    return [str(warning.message) for warning in caught]


def test_a_checkpoint_that_is_not_this_runs_own_is_named_and_not_gone_on_with(
    interrupted: dict[RunConfig, Path], tmp_path: Path
) -> None:
    """Cut short, empty, of another run, another file's bytes, one byte changed: the one before it serves."""
    files = {config: sorted((folder / "checkpoint").iterdir()) for config, folder in interrupted.items()}
    before, last = files[TINY]
    other = files[TINY.vary(seed=1)][1]
    assert not goes_on(interrupted, tmp_path / "run", lambda _: None)

    def swap(folder: Path) -> None:
        (folder / "checkpoint" / last.name).unlink()
        shutil.copy(other, folder / "checkpoint")

    harms: dict[str, Callable[[Path], object]] = {
        "cut": lambda folder: os.truncate(folder / "checkpoint" / last.name, last.stat().st_size // 3),
        "empty": lambda folder: os.truncate(folder / "checkpoint" / last.name, 0),
        "bytes": lambda folder: shutil.copy(before, folder / "checkpoint" / last.name),
        "swapped": swap,
    }
    for place in range(4):
        harms[f"flip {place}"] = lambda folder, p=place: flip(folder / "checkpoint" / last.name, random.Random(p))
    for name, harm in harms.items():
        (said,) = goes_on(interrupted, tmp_path / "run", harm)
        assert (other if name == "swapped" else last).name in said, name
        assert "is damaged" in said


def test_a_flipped_byte_of_rows_that_are_gone_on_with_is_named(
    interrupted: dict[RunConfig, Path], tmp_path: Path
) -> None:
    """Ten places in the store of an interrupted run: it goes on where the byte says nothing, or begins anew."""
    named = 0
    for place in range(10):
        said = goes_on(interrupted, tmp_path / "run", lambda f, p=place: flip(f / "rows.sqlite", random.Random(p)))
        assert all("rows.sqlite" in line for line in said), said
        named += bool(said)
    assert named > 2
