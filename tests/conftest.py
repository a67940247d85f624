import gc
import os
import signal
from pathlib import Path
from typing import Any

# One single-threaded process per core beats one with two threads; pytest-xdist supplies the processes. It is read when
# torch is imported, here and in every program that a test starts.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest
import torch
from browser import chromium, page  # noqa: F401 - fixtures for all tests
from hypothesis import settings

# A shell ignores Ctrl-C for what it runs in the background, nohup a closed terminal; what tests start inherits that.
for number, handler in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, handler)

# They are run by test_ranks.py, which is skipped where torch was built without torch.distributed.
collect_ignore_glob = ["ranks.py", "recorder/*_checks.py", "recorder/integrations/*_checks.py"]

# A shared machine stalls now and then; and what CI found must be found again by whoever looks for it.
settings.register_profile("clinometer", deadline=None, derandomize=bool(os.environ.get("CI")))
settings.load_profile("clinometer")


torch.set_num_threads(1)


def pytest_addoption(parser: pytest.Parser) -> None:
    """What passes where torch and NumPy alone are installed is not run again by `.ci/run` where everything is."""
    parser.addoption("--keep-passed", type=Path, metavar="FILE", help="write there which tests passed")
    parser.addoption("--without", type=Path, metavar="FILE", help="leave out the tests that such a file names")


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Names of tests have no line breaks."""
    if to := config.getoption("keep_passed"):
        to.write_text("\n".join(report.nodeid for report in terminalreporter.stats.get("passed", ())))


INTEGRATIONS = "tests/recorder/integrations"  # one worker runs all of them: their libraries take ten seconds to import
EARLY = (
    "tests/test_",
    "tests/runner",
    "tests/cli",
    "tests/papers",
    INTEGRATIONS,
    "tests/recorder/test_ranks",
)  # a quick file ends last


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what has passed elsewhere. Let files whose tests take long go first, so that no worker ends late."""
    if passed := config.getoption("without"):
        names = set(passed.read_text().split("\n"))
        config.hook.pytest_deselected(items=[item for item in items if item.nodeid in names])
        items[:] = [item for item in items if item.nodeid not in names]
    items.sort(key=lambda item: not item.nodeid.startswith(EARLY))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Keep a file on one worker, so that what its tests share is made once."""
    from xdist.scheduler import LoadFileScheduling

    class ByFile(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return INTEGRATIONS if nodeid.startswith(INTEGRATIONS) else super()._split_scope(nodeid)

    config.option.loadscopereorder = False  # it would put files of many tests first, whatever these take
    return ByFile(config, log)


def pytest_collection_finish() -> None:
    """Hide from the garbage collector what imports made: a million objects that no test sets free."""
    gc.collect()
    gc.freeze()


def pytest_unconfigure() -> None:
    """Let the interpreter's end free what it always does: some libraries print what is left."""
    gc.unfreeze()
