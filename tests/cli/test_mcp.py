"""`clinometer mcp`, asked by the protocol's own client, which is not ours: what it gets is what `--json` prints."""

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from stored import STUDY, keep
from traces import seen

from clinometer import Store
from clinometer.cli import doctor, main
from clinometer.cli.installed import Requirement
from clinometer.studies.plan import plan
from clinometer.studies.study_folder import open_study_folder
from clinometer.training.study_file import write_study

mcp: Any = pytest.importorskip("mcp", reason="make develops installs it, by the extra dev")
stdio: Any = pytest.importorskip("mcp.client.stdio")

from clinometer.cli.mcp import server  # noqa: E402 - the library is asked for first
from clinometer.cli.tools import TOOLS  # noqa: E402

RESULTS = Path(__file__).parents[2] / "results" / "santurkar2018" / "smoke"
CALLS: list[tuple[str, dict[str, Any], str]] = [  # a tool, its arguments, and the words of the command
    ("report", {"folder": "mine"}, "report mine --read-only"),
    ("report", {"folder": "paper"}, "report paper --read-only"),
    (
        "report",
        {"folder": "paper", "against": "paper/claims.json"},
        "report paper --read-only --against paper/claims.json",
    ),
    ("compare", {"folders": ["mine", "other"]}, "compare mine other"),
    (
        "compare",
        {"folders": ["mine"], "with": ["other"], "quantity": ["landscape.beta"], "over": [0, 1]},
        "compare mine --with other --quantity landscape.beta --over 0 1",
    ),
    ("compare", {"folders": ["a", "b"]}, "compare a b"),
    ("status", {"folder": "a"}, "status a"),
    ("explain", {}, "explain"),
    ("explain", {"topic": "beta"}, "explain beta"),
    ("explain", {"topic": "santurkar2018", "within": "C7"}, "explain santurkar2018 C7"),
    ("list", {"paper": "santurkar2018"}, "list santurkar2018"),
    ("list", {}, "list"),
    ("doctor", {}, "doctor"),
]
REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("status", {"folder": "mien"}, "status mien"),
    ("status", {"folder": "mine"}, "status mine"),
    ("watch", {"path": "a"}, "watch a --once"),
    ("report", {"folder": "a/runs"}, "report a/runs --read-only"),
    ("report", {"folder": "mine", "against": "paper"}, "report mine --read-only --against paper"),
    ("compare", {"folders": ["mine"]}, "compare mine"),
    ("list", {"paper": "santurkar"}, "list santurkar"),
    ("explain", {"topic": "bta"}, "explain bta"),
]
BEYOND: list[tuple[str, dict[str, Any]]] = [
    ("status", {"folder": ".."}),
    ("status", {"folder": "a/../../a"}),
    ("watch", {"path": "/etc"}),
    ("watch", {"path": "link"}),
    ("compare", {"folders": ["mine", "/"]}),
    ("compare", {"folders": ["mine"], "with": [str(Path.home())]}),
    ("report", {"folder": "paper", "against": "/etc/passwd"}),
    ("list", {"paper": "/etc"}),
]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder: recorders' folders, studies, one with the claims of the paper, and a link that leads out."""
    home = tmp_path / "home"
    for name in ("mine", "other"):
        store = Store(home / name / "rows.sqlite")
        for step in range(20):
            store.append(step, {"landscape": {"loss": 2.5, "beta": 3.0 + step % 3, "beta_lr_half": 0.5}})
        store.close()
    for name in ("a", "b"):
        keep(home / name, {"seed": 0}, {0: {"p": {"x": 1.0}}})
        write_study(home / name, {"study": "mine", "scale": "smoke"})
    open_study_folder(home / "paper", plan(STUDY, "smoke"), {})
    for name in ("claims.json", "theorems.json"):
        shutil.copy(RESULTS / name, home / "paper")
    (home / "link").symlink_to(tmp_path)
    monkeypatch.chdir(home)
    monkeypatch.setattr(doctor, "requirements", lambda: [Requirement("numpy", ">=1.26", "")])
    monkeypatch.setattr(doctor, "page_error", lambda: "")
    return home


def ask(folder: Path, *calls: tuple[str, dict[str, Any]]) -> list[tuple[bool, str]]:
    """What the client gets of each call: whether it is an error, and the text."""

    async def asked(client: Any) -> list[tuple[bool, str]]:
        found = [await client.call_tool(*call) for call in calls]
        return [(each.is_error, each.content[0].text) for each in found if len(each.content) == 1]

    return with_client(server(folder), asked)


def with_client(to: Any, work: Callable[[Any], Awaitable[Any]]) -> Any:
    async def within() -> Any:
        async with mcp.Client(to) as client:
            return await work(client)

    return asyncio.run(within())


def printed(capfd: pytest.CaptureFixture[str], line: str) -> str:
    with pytest.raises(SystemExit):
        main([*line.split(), "--json"])
    return capfd.readouterr().out.removesuffix("\n")


def test_answers_are_the_documents_of_the_commands(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Byte for byte, of runs, studies, claims with their intervals and the rest; `watch` tells seconds, which pass."""
    before = seen(folder)
    answers = ask(folder, *(call[:2] for call in CALLS), ("watch", {"path": "mine"}))
    assert capfd.readouterr().out == ""
    assert seen(folder) == before
    *same, watched = answers
    documents = [printed(capfd, line) for *_, line in CALLS]
    assert same == [(False, document) for document in documents]
    timeless = [json.loads(each) | {"seconds_ago": 0} for each in (watched[1], printed(capfd, "watch mine --once"))]
    assert timeless[0] == timeless[1]
    claims = json.loads(same[1][1])["claims"]
    assert claims == json.loads((RESULTS / "claims.json").read_text())


def test_errors_are_the_sentences_of_the_commands(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Bad paths, kinds, names and combinations are errors of the tool, with the document that the command prints."""
    answers = ask(folder, *(call[:2] for call in REFUSED))
    assert answers == [(True, printed(capfd, line)) for *_, line in REFUSED]
    assert all([*json.loads(text)] == ["error"] for _, text in answers)


def test_nothing_beyond_the_root_is_read(folder: Path) -> None:
    """Up, absolute, through a link, as one of several, as an option, and as a name that `list` would look for."""
    for (is_error, text), (_, given) in zip(ask(folder, *BEYOND), BEYOND, strict=True):
        assert is_error, given
        assert f"is beyond {folder}, and nothing there is read" in json.loads(text)["error"]
    ((is_error, _),) = ask(folder, ("watch", {"path": str(folder / "mine")}))
    assert not is_error


def test_what_a_tool_does_not_take_is_refused(folder: Path) -> None:
    """Options that write or do not end, other types, nothing where something is needed, and other tools."""
    calls: list[tuple[str, dict[str, Any]]] = [
        ("report", {"folder": "mine", "to": "out"}),
        ("report", {"folder": "mine", "read-only": False}),
        ("report", {"folder": "mine", "read_only": False}),
        ("watch", {"path": "mine", "once": False}),
        ("compare", {"folders": ["mine", "other"], "to": "page.html"}),
        ("compare", {"folders": "mine"}),
        ("compare", {"folders": ["mine", "other"], "over": [0, "--to=out"]}),
        ("status", {"folder": "--help"}),
        ("status", {"folder": "a\0b"}),
        ("status", {}),
        ("export", {"folder": "a"}),
        ("__init__", {}),
    ]
    before = seen(folder)
    answers = ask(folder, *calls)
    assert all(is_error and json.loads(text)["error"] for is_error, text in answers)
    assert "to: Extra inputs are not permitted." in answers[0][1]
    assert len(answers) == len(calls)
    assert seen(folder) == before


def test_tools_say_that_they_only_read(folder: Path) -> None:
    """Their schemas, checked by a validator of JSON Schema, take what is called above and nothing that writes."""

    async def listed(client: Any) -> Any:
        return (await client.list_tools()).tools, client.instructions

    tools, about = with_client(server(folder), listed)
    assert str(folder) in about
    assert [tool.name for tool in tools] == [*TOOLS]
    schemas = {tool.name: tool.input_schema for tool in tools}
    for tool in tools:
        assert tool.annotations.read_only_hint
        assert tool.description
        jsonschema.Draft202012Validator.check_schema(tool.input_schema)
        assert all(each.get("description") for each in tool.input_schema["properties"].values())
        assert not {"to", "open", "tex", "format", "read-only", "once"} & tool.input_schema["properties"].keys()
    for name, given, _ in (*CALLS, *REFUSED):
        jsonschema.validate(given, schemas[name])
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"folder": "mine", "to": "out"}, schemas["report"])


CHATTY = """
import os, sys
from clinometer.cli import main, status
asked = status.status
def status_and_chat(folder):
    print("printed")
    os.write(1, b"written\\n")
    os.system("echo by another process")
    return asked(folder)
status.status = status_and_chat
main(sys.argv[1:])
"""


def test_only_the_protocol_is_on_standard_output(folder: Path) -> None:
    """Over pipes as a client starts it, from another folder, while a command and its children print."""
    words = ["-c", CHATTY, "mcp", "--root", str(folder)]
    parameters = stdio.StdioServerParameters(command=sys.executable, args=words, cwd="/", env={**os.environ})

    async def asked(client: Any) -> Any:
        found = await asyncio.gather(*(client.call_tool("status", {"folder": name}) for name in ("a", "b", "mine")))
        return [(each.is_error, json.loads(each.content[0].text)) for each in found]

    *good, bad = with_client(stdio.stdio_client(parameters), asked)
    assert [(each["folder"], each["states"]) for _, each in good] == [("a", {"done": 1}), ("b", {"done": 1})]
    assert bad[0]
    request = {"jsonrpc": "2.0", "id": 1, "method": "tools/call"}
    hello = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "a test", "version": "1"}}
    lines = [
        {**request, "id": 0, "method": "initialize", "params": hello},
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
        {**request, "params": {"name": "status", "arguments": {"folder": "a"}}},
    ]
    with subprocess.Popen(
        [sys.executable, *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin
        assert process.stdout
        process.stdin.write("".join(f"{json.dumps(line)}\n" for line in lines))
        process.stdin.flush()
        answers = [json.loads(process.stdout.readline()) for _ in range(2)]
        rest, said = process.communicate(timeout=120)
    assert [answer["id"] for answer in answers] == [0, 1]
    assert rest == ""
    assert [word for word in ("printed", "written", "by another process") if word not in said] == []
    assert process.returncode == 0


def test_it_ends_when_it_is_told_to(folder: Path) -> None:
    """By the signal with which clients end a server that does not end with its input, and soon."""
    words = [sys.executable, "-m", "clinometer.cli", "mcp"]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdin
        assert process.stdout
        process.stdin.write(b'{"jsonrpc": "2.0", "id": 1, "method": "ping"}\n')
        process.stdin.flush()
        process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        asked = time.monotonic()
        assert process.wait(60) == -signal.SIGTERM
        assert time.monotonic() - asked < 30
        assert b"Traceback" not in (process.stderr.read() if process.stderr else b"")


def test_without_the_library_it_says_what_to_install(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Where it cannot be imported; and `--json`, a root that is no folder, and one that is missing are refused."""
    assert "leave out --json" in json.loads(printed(capfd, "mcp"))["error"]
    for root in ("mine/rows.sqlite", "nowhere"):
        with pytest.raises(SystemExit, match="2"):
            main(["mcp", "--root", root])
        assert f"expected a folder as --root; found {root}." in capfd.readouterr().err
    for module in ("mcp.server", "mcp_types"):
        with monkeypatch.context() as without:
            without.setitem(sys.modules, module, None)
            with pytest.raises(SystemExit, match="2"):
                main(["mcp"])
        assert "which is not installed: pip install 'clinometer[mcp]'" in capfd.readouterr().err
