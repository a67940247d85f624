"""The Python of a page, with the commands between, as one program; and what the page says that it prints."""

import re
from pathlib import Path

BLOCK = re.compile(r"^```(python|text|console)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
COMMAND = "$ clinometer "
CUT = "...\n"
ONE = re.compile(rf"^{re.escape(COMMAND)}(.*)\n((?:(?!{re.escape(COMMAND)}).*\n)*)", re.MULTILINE)
RUN = """
def _command(words, lines):
    import contextlib, io, shlex
    from clinometer.cli import main
    with contextlib.redirect_stdout(io.TextIOWrapper(io.BytesIO(), encoding="utf-8")) as printed:
        with contextlib.suppress(SystemExit):
            main(shlex.split(words))
        printed.flush()
        printed.seek(0)
        told = printed.readlines()
    print(*told[:lines], sep="", end="")
"""


def program(page: Path) -> tuple[str, str]:
    """A page's Python, block after block, and the text that it says comes out.

    A block `console` has commands, in lines that begin with `$ clinometer`, each with what it prints below it; a last
    line `...` stands for what is left out there.
    """
    code, expected, commands = "", "", ""
    for kind, text in BLOCK.findall(page.read_text()):
        if kind == "python":
            code += text
        elif kind == "text":
            expected += text
        else:
            commands = RUN
            for command, printed in ONE.findall(text):
                shown = printed.removesuffix(CUT)
                code += f"_command({command!r}, {shown.count(chr(10)) if shown != printed else None})\n"
                expected += shown
    return commands + code, expected
