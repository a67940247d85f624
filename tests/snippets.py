"""The Python of a page, with the commands between, as one program; and what the page says that it prints."""

import re
from pathlib import Path

BLOCK = re.compile(r"^```(python|text|console)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
RUN = """
def _command(words):
    import contextlib, shlex
    from clinometer.cli import main
    with contextlib.suppress(SystemExit):
        main(shlex.split(words)[1:])
"""


def program(page: Path) -> tuple[str, str]:
    """A page's Python, block after block, and the text that it says comes out.

    A block `console` has commands, in lines that begin with `$ clinometer`, each with what it prints below it.
    """
    code, expected, commands = "", "", ""
    for kind, text in BLOCK.findall(page.read_text()):
        if kind == "python":
            code += text
        elif kind == "text":
            expected += text
        else:
            commands = RUN
            for line in text.splitlines(keepends=True):
                if line.startswith("$ clinometer "):
                    code += f"_command({line[2:].strip()!r})\n"
                else:
                    expected += line
    return commands + code, expected
