"""A field of a probe's rows, as the probe declares it: its axes, unit, meaning, and how it is shown.

A probe carries the declarations of its fields as its attribute `fields`. The recorder keeps them among the facts of the
store, so that a stored run describes itself: tables, charts, pages and data sets read them from there.
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast, get_args

from clinometer.readable.results import readable

Kind = Literal["float", "integer", "text"]
Drawing = Literal["line", "lower", "upper", "ridges", "none"]
Worst = Literal["", "highest", "lowest"]

NAMES = ("layer", "block", "alert")  # axes whose entries have names, which the row's text field of that name holds
SINGLE = (*NAMES, "size", "rank")  # axes of which each entry is a quantity of its own, and gets a series in charts


@readable
@dataclass(frozen=True)
class Field:
    """What one field of a probe's rows holds.

    Args:
        axes: What each axis of the array stands for; () for a single number. `layer`, `block` and `alert` are named by
            the row's text field of that name; `size` (of a walk's steps), `rank` (of eigenvalues), `unit`, `bin`,
            `edge`, `node` and any other are positions.
        unit: Such as "loss / parameter²"; "" for a pure number. Fields of a probe that have one unit share a panel.
        meaning: One line of plain English.
        headline: Whether summaries and tables show it first.
        drawing: `line`: over the steps, one for each entry of an axis. `lower` and `upper`: the edges of a band, which
            surrounds the line of the same label if there is one. `ridges`: a distribution per step, the values being
            its counts. `none`: it is stored and not drawn.
        label: What summaries and legends call it; by default its name.
        kind: The type of its values.
        worst: Which extreme is the dangerous one; "" if neither.
        limit: The value at which the step is as long as it may be; beyond it, towards `worst`, it is too long.
        along: The field that holds the positions along the last axis, such as the edges of a histogram's bins.
        otherwise: The field to show where this one holds no number.

    Example:
        >>> Field(unit="loss / parameter²", meaning="effective β-smoothness along the gradient", label="β").axes
        ()
    """

    axes: tuple[str, ...] = ()
    unit: str = ""
    meaning: str = ""
    headline: bool = False
    drawing: Drawing = "line"
    label: str = ""
    kind: Kind = "float"
    worst: Worst = ""
    limit: float | None = None
    along: str = ""
    otherwise: str = ""


Fields = Mapping[str, Field]  # of one probe's rows, by name
Declared = Mapping[str, Fields]  # by probe
NOTHING: Declared = {}


def declared_by(probes: Mapping[str, Any]) -> dict[str, dict[str, Field]]:
    """The declarations of these probes, by the names of their rows; a probe without `fields` is left out."""
    return {name: dict(probe.fields) for name, probe in probes.items() if getattr(probe, "fields", None)}


def to_json(declared: Declared) -> dict[str, dict[str, dict[str, Any]]]:
    """The declarations as JSON can hold them, without what is as by default.

    Example:
        >>> to_json({"mine": {"x": Field(unit="loss", headline=True)}})
        {'mine': {'x': {'unit': 'loss', 'headline': True}}}
    """
    return {probe: {name: _changed(field) for name, field in fields.items()} for probe, fields in declared.items()}


def from_json(stored: Any) -> dict[str, dict[str, Field]]:
    """The declarations that `to_json` wrote. Anything else is left out, and its field then counts as undeclared.

    Example:
        >>> from_json({"mine": {"x": {"unit": "loss"}, "y": {"unit": 3}}, "other": None})["mine"].keys()
        dict_keys(['x'])
    """
    probes = cast("dict[str, Any]", stored) if isinstance(stored, dict) else {}
    found = {probe: _fields(each) for probe, each in probes.items()}
    return {probe: fields for probe, fields in found.items() if fields}


def declared_in(facts: Mapping[str, Any]) -> dict[str, dict[str, Field]]:
    """The declarations among the facts of a store, as `Store.meta` gives them."""
    return from_json(facts.get("fields"))


def _changed(field: Field) -> dict[str, Any]:
    given = dataclasses.asdict(field)
    changed = {name: value for name, value in given.items() if value != _DEFAULTS[name]}
    return changed | ({"axes": list(field.axes)} if field.axes else {})


def _fields(stored: Any) -> dict[str, Field]:
    given = cast("dict[str, Any]", stored) if isinstance(stored, dict) else {}
    found = {name: _field(each) for name, each in given.items()}
    return {name: field for name, field in found.items() if field}


def _field(stored: Any) -> Field | None:
    if not isinstance(stored, dict):
        return None
    known = {name: value for name, value in cast("dict[str, Any]", stored).items() if name in _DEFAULTS}
    axes = known.pop("axes", [])
    if not isinstance(axes, list) or not all(isinstance(axis, str) for axis in cast("list[Any]", axes)):
        return None
    if not all(_is_valid(name, value) for name, value in known.items()):
        return None
    return Field(axes=tuple(cast("list[str]", axes)), **known)


def _is_valid(name: str, value: Any) -> bool:
    if name == "limit":
        return value is None or type(value) in (int, float)
    if name in _CHOICES:
        return value in _CHOICES[name]
    return type(value) is type(_DEFAULTS[name])


_DEFAULTS = {field.name: field.default for field in dataclasses.fields(Field)}
_CHOICES = {"kind": get_args(Kind), "drawing": get_args(Drawing), "worst": get_args(Worst)}
