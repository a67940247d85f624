"""Text for a terminal or a log file that is not UTF-8: what its encoding lacks is written in ASCII."""

import codecs
import contextlib
import sys
import unicodedata
from collections.abc import Generator
from typing import Any

ERRORS = "clinometer.transliterate"  # the name of an error handler for `str.encode` and text streams

_ASCII = {
    "·": "*",
    "×": "x",
    "−": "-",
    "–": "-",
    "—": "-",
    "→": "->",
    "←": "<-",
    "…": "...",
    "°": " degrees",
    "±": "+/-",
    "‖": "||",
    "⟨": "<",
    "⟩": ">",
    "≤": "<=",
    "≥": ">=",
    "≠": "!=",
    "∞": "inf",
    "√": "sqrt",
    "∇": "grad",
    "∂": "d",
    "ᵀ": "^T",
    "²": "^2",
    "³": "^3",
    "⁴": "^4",
    "½": "1/2",
    "′": "'",
    "§": "section ",
    "█": "#",
    "▁": "_",
    "⊥": "_|_",
    "’": "'",
    "‘": "'",
    "“": '"',
    "”": '"',
    "ß": "ss",
}


def transliterated(text: str, encoding: str | None) -> str:
    """The text, with an ASCII form of what an encoding lacks.

    Example:
        >>> transliterated("β 2.5 → 1.5 · lr 0.1", "ascii"), transliterated("Müller ▅", "ascii")
        ('beta 2.5 -> 1.5 * lr 0.1', 'Muller ?')
        >>> transliterated("β 2.5 · lr", "latin-1"), transliterated("β", "utf-8")
        ('beta 2.5 · lr', 'β')
    """
    try:
        codec = codecs.lookup(encoding or "utf-8").name
    except LookupError:
        codec = "ascii"
    return text.encode(codec, ERRORS).decode(codec)


@contextlib.contextmanager
def transliterating_output() -> Generator[None]:
    """Let standard output and error write in ASCII what their encoding lacks, while a `with` block lasts."""
    streams: list[Any] = [stream for stream in (sys.stdout, sys.stderr) if hasattr(stream, "reconfigure")]
    before = [stream.errors for stream in streams]
    for stream in streams:
        with contextlib.suppress(OSError, ValueError):  # it cannot be written to, or is closed: nothing is shown at all
            stream.reconfigure(errors=ERRORS)
    try:
        yield
    finally:
        for stream, errors in zip(streams, before, strict=True):
            with contextlib.suppress(OSError, ValueError):  # closed, or lost, meanwhile
                stream.reconfigure(errors=errors)


def _replace(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(map(_ascii, error.object[error.start : error.end])), error.end


def _ascii(character: str) -> str:
    """An ASCII form of one character: from the table, a Greek letter by name, without accents, or a question mark."""
    if character in _ASCII:
        return _ASCII[character]
    words = unicodedata.name(character, "").split()
    if words[:1] == ["GREEK"] and "LETTER" in words:
        name = words[words.index("LETTER") + 1].lower().replace("lamda", "lambda")
        return name.capitalize() if "CAPITAL" in words else name
    plain = unicodedata.normalize("NFKD", character).encode("ascii", "ignore").decode()
    return plain or ("" if unicodedata.combining(character) else "?")


codecs.register_error(ERRORS, _replace)
