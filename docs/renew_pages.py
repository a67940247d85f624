"""Give pages of studies that were written earlier the script and the style of now; their numbers stay as they are.

    python docs/renew_pages.py [results/*/*/report.html]

A page holds its numbers, so it needs no study folder for this. What it was not given, such as numbers for the CSV of a
figure without lines, it does not get. With the code that wrote it, a page comes out as it was, byte for byte.
"""

import re
import sys
from pathlib import Path

from markupsafe import escape

from clinometer.pages.html.engine import policy, script, sheet_of, style

ROOT = Path(__file__).parents[1]


def renewed(page: str) -> str:
    """The text of a study's page, with the script and the style of now, and the policy that names them."""
    head, _, rest = page.partition("<body>\n")
    body, _, _ = rest.rpartition("\n<script>")
    css = style(body, sheet_of("study.html.j2"))
    head = re.sub("<style>.*?</style>", lambda _: f"<style>{css}</style>", head, flags=re.DOTALL)
    head = re.sub('(?<=Content-Security-Policy" content=")[^"]*', lambda _: str(escape(policy(css))), head)
    return f"{head}<body>\n{body}\n<script>{script()}</script>\n</body>\n</html>{page[len(page.rstrip()) :]}"


if __name__ == "__main__":
    for path in map(Path, sys.argv[1:] or sorted(ROOT.glob("results/*/*/report.html"))):
        path.write_text(renewed(path.read_text(encoding="utf-8")), encoding="utf-8")
