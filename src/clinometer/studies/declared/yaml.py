"""Parses YAML into plain values and lines; refuses aliases, tags and words that YAML 1.1 and 1.2 read differently."""

import re
from pathlib import Path
from typing import Any

from clinometer.extras import need

_LONGEST, _DEEPEST = 1_000_000, 20  # characters and levels: a study has twenty lines
_INT = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_CONSTANTS = {"null": None, "~": None, "": None, "true": True, "false": False}
_NUMBERS = [f"{sign}{word}" for sign in ("", "+", "-") for word in (".inf", "inf", "infinity")] + [".nan", "nan"]
_BOUNDLESS = {word: float(word.replace(".", "")) for word in _NUMBERS}  # a study refuses them, unless in quotes: texts
_AMBIGUOUS = {"yes": "true", "on": "true", "no": "false", "off": "false"}
_ODD_NUMBER = re.compile(r"[-+]?(0[0-9_]+|0[box][0-9a-fA-F_]+|[0-9][0-9_]*_[0-9_]*(\.[0-9_]*)?)")  # 010, 0x10, 1_000


def parsed(text: str, path: Path) -> tuple[Any, dict[str, int]]:
    """Parse YAML into plain values, and the line of each key.

    Numbers follow YAML 1.2, so `1e-3` is a number. Words that YAML 1.1 and 1.2 read differently, aliases, tags,
    repeated keys and a second document are refused.

    Args:
        text: The document.
        path: The file, which errors name.

    Raises:
        ValueError: naming file and line, and what to do.

    Example:
        >>> parsed("lr: [1e-3, .1, 1]", Path("study.yaml"))
        ({'lr': [0.001, 0.1, 1]}, {'lr': 1, 'lr[0]': 1, 'lr[1]': 1, 'lr[2]': 1})
        >>> parsed("norm: [none, no]", Path("study.yaml"))
        Traceback (most recent call last):
        ...
        ValueError: study.yaml, line 1: no is false to some readers of YAML and text to others. \
Write 'no' in quotes for the text, or false.
    """
    yaml: Any = need("yaml", "studies")
    if len(text) > _LONGEST:
        raise ValueError(f"{path}: expected a study of some twenty lines; found {len(text)} characters.")
    reader = _Reader(yaml, path)
    try:
        reader.refuse_tricks(yaml.parse(text, Loader=yaml.SafeLoader))
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        raise reader.wrong(error.problem_mark or error.context_mark, f"not YAML: {error.problem}.") from error
    except yaml.YAMLError as error:
        raise ValueError(f"{path}: not YAML: {error}.") from error
    return (None if node is None else reader.value(node, "")), reader.lines


def scalar(text: str) -> Any:
    """Convert an unquoted word to null, true, false, a number, or text.

    Example:
        >>> scalar("1e-3"), scalar("10"), scalar("true"), scalar("batch"), scalar("1:30"), scalar("nan")
        (0.001, 10, True, 'batch', '1:30', nan)
    """
    for named in (_CONSTANTS, _BOUNDLESS):
        if text.lower() in named:
            return named[text.lower()]
    if _INT.fullmatch(text) and len(text) < 20:
        return int(text)
    return float(text) if _FLOAT.fullmatch(text) else text


class _Reader:
    """Converts YAML nodes to plain values, and collects the line of each key."""

    def __init__(self, yaml: Any, path: Path) -> None:
        self._yaml, self._path = yaml, path
        self.lines: dict[str, int] = {}

    def wrong(self, mark: Any, message: str) -> ValueError:
        return ValueError(f"{self._path}, line {mark.line + 1}: {message}")

    def refuse_tricks(self, events: Any) -> None:
        """Refuse aliases, which can expand a line to gigabytes, tags, which construct objects, and deep nesting."""
        depth = 0
        for event in events:
            opens, closes = self._yaml.CollectionStartEvent, self._yaml.CollectionEndEvent
            depth += isinstance(event, opens) - isinstance(event, closes)
            if depth > _DEEPEST:
                raise self.wrong(event.start_mark, f"expected lists and mappings less than {_DEEPEST} deep.")
            if getattr(event, "anchor", None) is not None:
                advice = "Write the value out, or quote it if it is text."
                raise self.wrong(event.start_mark, f"anchors (&) and aliases (*) are not read. {advice}")
            if getattr(event, "tag", None) is not None:
                raise self.wrong(event.start_mark, f"tags are not read; found {event.tag}. Leave it out, or quote it.")

    def value(self, node: Any, key: str) -> Any:
        if isinstance(node, self._yaml.SequenceNode):
            return [self._at(each, f"{key}[{index}]", each) for index, each in enumerate(node.value)]
        return self._mapping(node, key) if isinstance(node, self._yaml.MappingNode) else self._scalar(node)

    def _mapping(self, node: Any, key: str) -> dict[str, Any]:
        mapping: dict[str, Any] = {}
        for name, value in node.value:
            if not isinstance(name, self._yaml.ScalarNode):
                raise self.wrong(name.start_mark, "expected a word as a key; found a list or a mapping.")
            if name.value in mapping:
                raise self.wrong(name.start_mark, f"the key {name.value!r} stands there twice. Leave one out.")
            mapping[name.value] = self._at(value, f"{key}.{name.value}" if key else name.value, name)
        return mapping

    def _at(self, node: Any, key: str, place: Any) -> Any:
        self.lines[key] = place.start_mark.line + 1
        return self.value(node, key)

    def _scalar(self, node: Any) -> Any:
        text = node.value
        if node.style is not None:  # quoted
            return text
        if meant := _AMBIGUOUS.get(text.lower()):
            readers = f"{text} is {meant} to some readers of YAML and text to others"
            raise self.wrong(node.start_mark, f"{readers}. Write {text!r} in quotes for the text, or {meant}.")
        if _ODD_NUMBER.fullmatch(text):
            readers = f"{text} is not the same number, or none, to all readers of YAML"
            raise self.wrong(node.start_mark, f"{readers}. Write the number in decimal, or the text in quotes.")
        return scalar(text)
