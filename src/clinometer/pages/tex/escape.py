"""Any text as TeX that prints it: ASCII alone, so that every engine and font encoding can read it."""

import re
import unicodedata
from collections.abc import Iterable

from clinometer.readable.text import plain
from clinometer.transliteration import transliterated

_SPECIAL = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "%": r"\%",
    "#": r"\#",
    "_": r"\_",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "`": r"\textasciigrave{}",
    "\n": " ",
    "\t": " ",
}
_MATHS = {
    "−": "-", "·": r"\cdot", "×": r"\times", "±": r"\pm", "→": r"\to", "←": r"\leftarrow", "≤": r"\leq", "≥": r"\geq",
    "≠": r"\neq", "≈": r"\approx", "∞": r"\infty", "√": r"\surd", "∇": r"\nabla", "∂": r"\partial", "‖": r"\Vert",
    "⟨": r"\langle", "⟩": r"\rangle", "′": r"\prime", "∈": r"\in", "∝": r"\propto", "⊥": r"\perp", "½": r"\frac{1}{2}",
    "ℓ": r"\ell", "∑": r"\sum", "µ": r"\mu",
}  # fmt: skip
_GREEK = (
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi pi rho sigma tau upsilon phi chi psi "
    "omega Gamma Delta Theta Lambda Xi Pi Sigma Upsilon Phi Psi Omega"
)
_LETTERS = _MATHS | {
    letter: f"\\{name}" for letter, name in zip("αβγδεζηθικλμνξπρστυφχψωΓΔΘΛΞΠΣΥΦΨΩ", _GREEK.split(), strict=True)
}
_WORDS = {"–": "--", "—": "---", "…": r"\dots{}", "§": r"\S{}", "’": "'", "°": r"\textdegree{}"}
_RAISED = dict(zip("⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺ᵀᵏⁿ", "0123456789-+Tkn", strict=True))
_LOWERED = dict(zip("₀₁₂₃₄₅₆₇₈₉", "0123456789", strict=True))
_ACCENTS = {"\u0300": "`", "\u0301": "'", "\u0302": "^", "\u0303": "~", "\u0308": '"', "\u0304": "=", "\u0307": "."}
_PIECE = re.compile(rf"[{''.join(_RAISED)}]+|[{''.join(_LOWERED)}]+|.[\u0300-\u036f]*", re.DOTALL)


def tex(text: str) -> str:
    r"""The text as TeX, which needs no package: LaTeX has `\textsubscript` and `\textdegree` since 2020.

    Example:
        >>> print(tex("β at 5% of lr_max, 10⁻³ · ŷ"))
        \ensuremath{\beta} at 5\% of lr\_max, 10\textsuperscript{-3} \ensuremath{\cdot} {\^{y}}
    """
    written: list[str] = []
    for piece in _PIECE.findall(unicodedata.normalize("NFC", plain(text))):
        joins = piece in "-'" and written[-1:] == [piece]  # two would print as one other letter
        written.append("{}" * joins + _written(piece))
    return "".join(written)


def _written(piece: str) -> str:
    """Raised letters, lowered ones, or a letter with the accents that follow it."""
    if piece[0] in _RAISED:
        return rf"\textsuperscript{{{''.join(map(_RAISED.__getitem__, piece))}}}"
    if piece[0] in _LOWERED:
        return rf"\textsubscript{{{''.join(map(_LOWERED.__getitem__, piece))}}}"
    return _accented(_letter(piece[0]), piece[1:])


def _letter(letter: str) -> str:
    if letter in _LETTERS:
        return rf"\ensuremath{{{_LETTERS[letter]}}}"
    if letter.isascii():
        return _SPECIAL.get(letter, letter)
    if letter in _WORDS:
        return _WORDS[letter]
    base, *marks = unicodedata.normalize("NFD", letter)
    if marks and base.isalpha() and all(mark in _ACCENTS for mark in marks):
        return _accented(_letter(base), marks)
    name = transliterated(letter, "ascii") if letter.isalnum() or letter == "�" else "?"
    return name if name.isalnum() else f"[U+{ord(letter):04X}]"


def _accented(written: str, marks: Iterable[str]) -> str:
    for mark in marks:
        written = f"{{\\{_ACCENTS[mark]}{{{written}}}}}" if mark in _ACCENTS else f"{written}[U+{ord(mark):04X}]"
    return written
