"""`clinometer mcp`: what `--json` prints, for programs that speak the Model Context Protocol."""

import asyncio
import contextlib
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from clinometer.cli.answer import Answer, stdout_on_stderr
from clinometer.cli.app import answer_for_program
from clinometer.cli.errors import bad_input
from clinometer.cli.installed import own_version
from clinometer.cli.interruptions import end_at_once
from clinometer.cli.tools import TOOLS, Tool
from clinometer.extras import need

_ABOUT = (
    "What training runs and studies found. Paths are taken from {root}, and none beyond it is read. Nothing is "
    "trained, decided, written or deleted. Answers are JSON documents; `explain` of the topic `json` tells their keys."
)


def mcp_command(*, root: Path = Path()) -> Answer:
    """Serve on standard input and output until the input ends.

    Parameters
    ----------
    root
        The folder that paths are taken from, and beyond which none is read; the current one by default.
    """
    with bad_input():
        if sys.stdout is sys.stderr:  # so it is with --json
            raise ValueError("`clinometer mcp` speaks a protocol on the standard output: leave out --json.")
        if not root.is_dir():
            raise ValueError(f"expected a folder as --root; found {root}.")
        serving, stdio = server(root.resolve()), need("mcp.server.stdio", "mcp")
    end_at_once()  # the library waits for a line of input, which nothing interrupts
    with contextlib.chdir(root):
        asyncio.run(_serve(serving, stdio))
    return Answer({})


def server(root: Path) -> Any:
    """The library's server with our tools, which must run in the folder `root`; ImportError without the library."""
    library, types, threads = (need(module, "mcp") for module in ("mcp.server", "mcp_types", "anyio"))
    tools = {name: Tool(name, root) for name in TOOLS}
    reads = types.ToolAnnotations(read_only_hint=True, open_world_hint=False)
    told = [
        types.Tool(name=name, description=tool.about, input_schema=tool.schema, annotations=reads)
        for name, tool in tools.items()
    ]
    one = threads.CapacityLimiter(1)  # a call turns standard output away, for every thread

    def answer(asked: Any) -> Answer:
        with stdout_on_stderr():
            return answer_for_program(lambda: _named(tools, asked.name).call(asked.arguments or {}))

    async def listed(*_: Any) -> Any:
        return types.ListToolsResult(tools=told)

    async def called(_: Any, asked: Any) -> Any:
        found = await threads.to_thread.run_sync(answer, asked, limiter=one)
        text = types.TextContent(type="text", text=found.document())
        return types.CallToolResult(content=[text], is_error=bool(found.error))

    facts = {"version": own_version(), "instructions": _ABOUT.format(root=root)}
    return library.Server("clinometer", on_list_tools=listed, on_call_tool=called, **facts)


def _named(tools: Mapping[str, Tool], name: str) -> Tool:
    with bad_input():
        if name not in tools:
            raise ValueError(f"expected one of {', '.join(tools)}; found {name!r}.")
    return tools[name]


async def _serve(serving: Any, stdio: Any) -> None:
    async with stdio.stdio_server() as streams:
        await serving.run(*streams, serving.create_initialization_options())
