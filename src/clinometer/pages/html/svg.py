"""matplotlib's SVG made small and fit for a page: no style attributes, few ids, colours as variables.

A policy without 'unsafe-inline' ignores style attributes, so what they say is said by attributes of their own.
"""

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from html import escape
from typing import Any

from clinometer.pages.html.colours import variable
from clinometer.pages.html.svg_path import Bounds, bounds, short_path

_SVG, _XLINK = "{http://www.w3.org/2000/svg}", "{http://www.w3.org/1999/xlink}"
_NUMBER = re.compile(r"-?\d+\.\d+(?:e-?\d+)?")
_COLOUR = re.compile(r"#[0-9a-fA-F]{6}\b")
_LINK = re.compile(r"url\(#([^)]+)\)")
_TWICE = re.compile(r'<path d="([^"]{150,})"([^>]*)/><path d="\1"([^>]*)/>')
_OVER = 0.5  # points by which a path may reach over what clips it, unseen
_INHERITED = {"font-family", "stroke-linejoin", "stroke-linecap", "stroke-miterlimit"}  # the page's style has them
_KEPT = {"x", "y", "width", "height", "transform", "clip-path", "preserveAspectRatio", "viewBox", "patternUnits"}


class SmallSVG:
    """The groups of one SVG of matplotlib, as markup for a page.

    Args:
        source: The SVG.
        prefix: What the ids in the result begin with, so that they are unique on a page.
    """

    def __init__(self, source: bytes, prefix: str) -> None:
        self._root = ET.fromstring(source)
        self._prefix = prefix
        self._named = {node.attrib["id"]: node for node in self._root.iter() if "id" in node.attrib}
        self._links: dict[str, str] = {}  # its id -> ours, of the present group
        self._given = 0

    def group(self, name: str) -> str:
        """The group with this id, with the definitions that it needs before it; nothing if there is none."""
        if name not in self._named:
            return ""
        self._links = {}
        content = _TWICE.sub(self._drawn_twice, "".join(self._markup(self._named[name])))
        written: dict[str, str] = {}
        while missing := [each for each in self._links if each not in written]:
            for each in missing:  # a definition may need another
                written[each] = "".join(self._definition(each))
        return (f"<defs>{''.join(written.values())}</defs>" if written else "") + content

    def _drawn_twice(self, found: re.Match[str]) -> str:
        """A long path that is drawn twice, such as a line on its halo, written once."""
        drawn, one, other = found.groups()
        name = f"{self._prefix}.{self._given}"
        self._given += 1
        return f'<defs><path id="{name}" d="{drawn}"/></defs><use href="#{name}"{one}/><use href="#{name}"{other}/>'

    def _definition(self, name: str) -> Iterator[str]:
        node = self._named[name]
        yield f'<{_tag(node)} id="{self._links[name]}"{self._attributes(node)}>'
        for child in node:
            yield from self._markup(child)
        yield f"</{_tag(node)}>"

    def _markup(self, node: ET.Element) -> Iterator[str]:
        tag = _tag(node)
        if tag in ("path", "use"):
            look, drawn = self._path(node)
            yield f'<path d="{drawn}"{look}/>'
        elif tag == "image":
            yield f'<image{self._attributes(node)} href="{escape(node.attrib[_XLINK + "href"])}"/>'
        elif tag in ("text", "tspan"):
            inside = escape(node.text or "") + "".join(part for child in node for part in self._markup(child))
            yield f"<{tag}{self._attributes(node)}>{inside}</{tag}>"
        elif node.attrib.get("id", "").startswith("matplotlib.axis"):
            yield from self._axis(node)
        elif tag in ("g", "rect"):
            inside = "".join(self._children(node))
            attributes = self._attributes(node)
            yield inside if tag == "g" and not (attributes and inside) else f"<{tag}{attributes}>{inside}</{tag}>"

    def _children(self, node: ET.Element) -> Iterator[str]:
        """What is inside, in its order; paths that follow each other and look alike, such as marks, are one."""
        last, drawn = "", ""
        for child in node:
            if _tag(child) in ("path", "use"):
                look, path = self._path(child)
                if drawn and look != last:
                    yield f'<path d="{drawn}"{last}/>'
                    drawn = ""
                last, drawn = look, drawn + path
                continue
            if drawn:
                yield f'<path d="{drawn}"{last}/>'
                drawn = ""
            yield from self._markup(child)
        if drawn:
            yield f'<path d="{drawn}"{last}/>'

    def _axis(self, node: ET.Element) -> Iterator[str]:
        """An axis's ticks and grid lines, those that look alike as one path, and its labels."""
        paths: dict[str, str] = {}
        defined = {path for defs in node.iter(f"{_SVG}defs") for path in defs}
        for each in (each for each in node.iter() if _tag(each) in ("path", "use") and each not in defined):
            look, drawn = self._path(each)
            paths[look] = paths.get(look, "") + drawn
        yield from (f'<path d="{drawn}"{look}/>' for look, drawn in paths.items())
        for each in node.iter(f"{_SVG}g"):
            if each.attrib.get("id", "").startswith("text"):
                yield from self._markup(each)

    def _path(self, node: ET.Element) -> tuple[str, str]:
        """How a path looks and where it goes; a path that is used stands where it is used, so that no id is needed."""
        facts = dict(node.attrib)
        if _tag(node) == "use":
            facts = self._named[facts.pop(_XLINK + "href")[1:]].attrib | facts
        drawn, dx, dy = facts.pop("d", ""), float(facts.pop("x", 0)), float(facts.pop("y", 0))
        if "clip-path" in facts and self._is_within(facts["clip-path"], bounds(drawn, dx, dy)):
            del facts["clip-path"]
        return self._attributes(ET.Element("path", facts)), short_path(drawn, dx, dy)

    def _is_within(self, clip: str, path: Bounds) -> bool:
        """Whether a path lies inside of what it is clipped to, so that nothing need clip it."""
        link = _LINK.match(clip)
        rect = self._named[link[1]].find(f"{_SVG}rect") if link else None
        if rect is None:
            return False
        left, top, wide, high = (float(rect.attrib[key]) for key in ("x", "y", "width", "height"))
        across = left - _OVER <= path[0] and path[2] <= left + wide + _OVER
        return across and top - _OVER <= path[1] and path[3] <= top + high + _OVER

    def _attributes(self, node: ET.Element) -> str:
        found = {key: value for key, value in node.attrib.items() if key in _KEPT}
        for rule in filter(None, node.attrib.get("style", "").split(";")):
            key, _, value = (part.strip() for part in rule.partition(":"))
            if key == "font":
                found |= _font(value)
            elif key not in _INHERITED:
                found[key] = value
        if re.fullmatch(r"rotate\(-?0(\.0*)? .*\)", found.get("transform", "")):
            del found["transform"]
        return "".join(f' {key}="{escape(self._value(key, value))}"' for key, value in found.items())

    def _value(self, key: str, value: str) -> str:
        value = _LINK.sub(lambda link: f"url(#{self._link(link[1])})", value)
        value = _COLOUR.sub(lambda colour: variable(colour[0]), value)
        digits = 2 if "width" in key or "opacity" in key else 1
        value = _NUMBER.sub(lambda number: _short(float(number[0]), digits), value)
        return value.removesuffix("px") if key == "font-size" else value

    def _link(self, name: str) -> str:
        if name not in self._links:
            self._links[name] = f"{self._prefix}.{self._given}"
            self._given += 1
        return self._links[name]


def _short(number: float, digits: int) -> str:
    return f"{number:.{digits}f}".rstrip("0").rstrip(".")


def _tag(node: ET.Element) -> str:
    return node.tag.removeprefix(_SVG)


def _font(value: str) -> dict[str, Any]:
    """The size and weight of a `font` rule, such as "italic 700 9px 'DejaVu Sans'"."""
    found: dict[str, Any] = {}
    for part in value.split(" "):
        if part.endswith("px"):
            return found | {"font-size": part}
        found["font-weight" if part.isdigit() or part in ("bold", "normal") else "font-style"] = part
    return found
