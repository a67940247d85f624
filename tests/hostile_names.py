"""Names that would do something if they were taken for more than text, and a reader of what a browser would see."""

import re
from html.parser import HTMLParser

HOSTILE = [
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>'",
    "</style></title></td><iframe src=//evil>",
    "javascript:alert(1) &lt;b&gt; &#x3c;b>",
    "[red]x[/] [/] [link=file:///etc/passwd]y[/link] :skull:",
    r"$\frac{$ $$ \$x$ $x^{2}$ \undefined{",
    "\x1b]0;title\x07\x1b[2J\x1b[31m\x9b5n\r\b\x00\x7f",
    "a\u202egnp.exe\u2066\u200b\u2028\ud800",
    "'; DROP TABLE rows; --",
    "../../../../etc/passwd\x00.png",
    "{0.__class__} %s %n {title} {{",
    "_hidden",
    "漢字 🎉 ﷽",
    "x" * 5_000,
]
STEERING = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u202a-\u202e\u2028\u2066-\u2069\ud800-\udfff]")


class Tags(HTMLParser):
    """Every tag and attribute that a browser would see, and the text between them."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: dict[str, set[str]] = {}
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        for name, value in attrs:
            self.attributes.setdefault(name, set()).add(value or "")

    def handle_data(self, data: str) -> None:
        self.text.append(data)
