"""What README, pyproject.toml and `make test-versions` say of versions agree, and code avoids what is going."""

import ast
import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
TOOLS = ("hypothesis", "pytest", "pytest-xdist")
INSTALLED = [*PROJECT["dependencies"], *(r for extra in ("studies", "report", "data", "export") for r in EXTRAS[extra])]
BOUNDS = [*INSTALLED, *(r for r in EXTRAS["dev"] if re.split(r"\W*>=", r)[0] in TOOLS)]
README = (ROOT / "README.md").read_text()


def version(text: str) -> tuple[int, ...]:
    """4 is 4.0.0."""
    numbers = tuple(map(int, text.split(".")))
    return numbers + (0,) * (3 - len(numbers))


def pinned(which: str) -> dict[str, tuple[int, ...]]:
    pins = re.findall(r"^([\w-]+)==([\d.]+)$", (ROOT / f"constraints-{which}.txt").read_text(), re.MULTILINE)
    return {name: version(number) for name, number in pins}


def test_the_lowest_that_is_tested_is_the_lowest_that_is_admitted() -> None:
    """The lower bounds that pip reads, against the file that the environment is made from."""
    found = [re.fullmatch(r"([\w-]+)(?:\[\w+\])?>=([\d.]+)", bound) for bound in BOUNDS]
    assert {match[1]: version(match[2]) for match in found if match} == pinned("lowest")
    assert all(found)


def test_the_newest_is_of_the_same_packages_and_no_older() -> None:
    """Both environments install the same; a bound above the newest could not be installed."""
    lowest, newest = pinned("lowest"), pinned("newest")
    assert lowest.keys() == newest.keys()
    assert all(lowest[name] <= newest[name] for name in lowest)


def test_the_readme_claims_what_is_tested() -> None:
    """Its sentence, against the interpreters in the Makefile, the classifiers and the pins of torch and NumPy."""
    claim = re.search(r"For Python (3\.\d+) to (3\.\d+) and torch (2\.\d+) to (2\.\d+)", README)
    assert claim
    tried = re.findall(r"Python (3\.\d+), torch (2\.\d+) and\s+NumPy ([12]\.\d+)", README)
    pins = [pinned(which) for which in ("lowest", "newest")]
    short = lambda number: ".".join(map(str, number[:2]))  # noqa: E731
    wanted = re.findall(r"ready: WANTED = (3\.\d+)", (ROOT / "Makefile").read_text())
    assert tried == [
        (python, short(pin["torch"]), short(pin["numpy"])) for python, pin in zip(wanted, pins, strict=True)
    ]
    assert [claim[1], claim[2]] == wanted
    assert [claim[3], claim[4]] == [short(pin["torch"]) for pin in pins]
    assert PROJECT["requires-python"] == f">={claim[1]}"
    classified = [word.rpartition(" ")[2] for word in PROJECT["classifiers"] if "Python ::" in word]
    assert [classified[0], classified[-1]] == wanted


SQL = re.compile(r"\b(SELECT|INSERT|UPDATE|DELETE)\b")


def test_no_query_numbers_its_parameters() -> None:
    """Python 3.12 deprecates `?1` with a sequence; the ordinary tests run with 3.11, where nothing warns."""
    for file in (ROOT / "src").rglob("*.py"):
        texts = [str(node.value) for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Constant)]
        assert not [text for text in texts if SQL.search(text) and re.search(r"\?\d", text)], file
