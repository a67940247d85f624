"""Standard output that is closed, full, or no longer read: what is done is done, and the status says so."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from parents import WarmParent

from clinometer.runner.output import dropping_output

STUDY = """
name: loud
model: stubborn:net
optimizer: stubborn:Stubborn
factors: {how: [changes all]}
seeds: 1
steps: 4
"""
COMMAND = """
import os
from clinometer.cli import main
os.chdir("{folder}")
{more}
main(["run", "study.yaml", "--jobs", "1"])
"""
FULL = "os.dup2(os.open('/dev/full', os.O_WRONLY), 1)"
UNREAD = "read, write = os.pipe(); os.close(read); os.dup2(write, 1)"
CLOSED = "os.close(1)"


@pytest.mark.parametrize(
    ("redirected", "status", "said"),
    [
        (">&-", 1, "not all that was printed could be written to the standard output: it is closed"),
        (">/dev/full", 1, "not all that was printed could be written to the standard output: [Errno 28]"),
        (">&- 2>&-", 1, ""),
        ("| head -c 1", 0, ""),
    ],
)
def test_a_command_whose_work_is_its_output_says_that_it_was_lost(redirected: str, status: int, said: str) -> None:
    """As a shell starts it; of a reader that has gone nothing is said, for it has read what it wanted."""
    command = f"{sys.executable} -m clinometer.cli list {redirected}; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert done.returncode == status, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.count("\n") == bool(said)


@pytest.mark.parametrize("lost", [FULL, UNREAD, CLOSED])
def test_a_study_is_made_whatever_becomes_of_its_output(lost: str, tmp_path: Path) -> None:
    """Its run prints 10 MB to the same place. Status 0: the run is done, and the page is written."""
    (tmp_path / "study.yaml").write_text(STUDY)
    command = WarmParent(tmp_path / "study", COMMAND.format(folder=tmp_path, more=lost))
    status, printed = command.finish(timeout=300)
    assert status == 0, printed
    assert ("could be written" in printed) == (lost != UNREAD)
    folder = tmp_path / "runs" / "loud"
    assert (folder / "report.html").stat().st_size
    (record,) = (folder / "records").glob("*.json")
    facts = json.loads(record.read_text())
    assert (facts["state"], facts["failures"]) == ("done", 0)


def test_what_is_printed_is_dropped_from_the_first_failure_on(capsys: pytest.CaptureFixture[str]) -> None:
    """A stream on /dev/full raises at its flush; afterwards its descriptor is that of /dev/null."""
    with open("/dev/full", "w") as full, pytest.MonkeyPatch.context() as patch:  # noqa: PTH123
        patch.setattr(sys, "stdout", full)
        with dropping_output() as (output, _):
            print("lost", flush=True)
            print("lost, too", flush=True)
        assert isinstance(output.error, OSError)
        full.write("harmless")
        full.flush()
    print("still here")
    assert capsys.readouterr().out == "still here\n"
