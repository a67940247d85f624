"""Strips control characters from untrusted text before it reaches a terminal or a page."""

import unicodedata

_KEPT = "\n\t"
_UNSEEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}  # controls, marks that turn the direction of writing, halves of pairs


def plain(text: str) -> str:
    r"""Text without characters that steer: each is shown as �, so that nothing is hidden or moved.

    Example:
        >>> plain("conv\x1b[2J1 β")
        'conv�[2J1 β'
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join("�" if c not in _KEPT and unicodedata.category(c) in _UNSEEN else c for c in text)
