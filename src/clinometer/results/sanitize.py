"""Strips control characters from untrusted text before it reaches a terminal or a page."""

from clinometer.readable.text import plain

__all__ = ["plain"]
