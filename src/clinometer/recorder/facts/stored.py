"""What a run was, as its recorder wrote it down: model, optimizer, batch, machine.

Files from elsewhere may hold anything. A part that is not there, or is not what it should be, is empty; none is
guessed from the machine that reads.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, cast

RUN = "run"  # among the facts of a store
RESUMED = "resumed"

Value = bool | int | float | str
Settings = Mapping[str, Value]


@dataclass(frozen=True)
class RunFacts:
    """What is known of a run. Text that is "" and numbers that are None are not stored."""

    model: str = ""  # its class
    parameters: int | None = None
    layers: Mapping[str, str] = field(default_factory=dict[str, str])  # by name: "Conv2d 3→16"
    optimizer: str = ""  # its class
    lr: tuple[float, ...] = ()  # of each group of parameters; one if they share it
    settings: Settings = field(default_factory=dict[str, Value])  # those that all groups share, but for the rate
    groups: tuple[Settings, ...] = ()  # what groups have of their own
    batch: str = ""
    batches: int | None = None  # in a step
    device: str = ""
    dtype: str = ""
    hardware: str = ""
    ranks: int | None = None
    versions: Mapping[str, str] = field(default_factory=dict[str, str])
    began: str = ""
    step: int | None = None  # at which these were read
    resumed: tuple["RunFacts", ...] = ()  # where the run was gone on with, and what had changed

    def __bool__(self) -> bool:
        """Whether anything is known."""
        return self != RunFacts()

    def named(self, layer: str) -> str:
        """A layer's name with its type, where that is known.

        Example:
            >>> facts = RunFacts(layers={"head": "Linear 128→10"})
            >>> facts.named("head"), facts.named("tail")
            ('head, Linear 128→10', 'tail')
        """
        return f"{layer}, {self.layers[layer]}" if self.layers.get(layer) else layer


def run_facts(stored: Mapping[str, Any]) -> RunFacts:
    """What the facts of a store, as `Store.meta` gives them, say of the run.

    Example:
        >>> run_facts({"run": {"model": {"class": "VGG", "parameters": "many"}, "batch": 3}}).model
        'VGG'
        >>> bool(run_facts({}))
        False
    """
    found = _mapping(stored.get(RUN))
    return replace(_facts(found), resumed=tuple(_facts(_mapping(each)) for each in _list(found.get(RESUMED))))


def _facts(found: Mapping[str, Any]) -> RunFacts:
    model, optimizer = _mapping(found.get("model")), _mapping(found.get("optimizer"))
    groups = [_settings(each) for each in _list(optimizer.get("groups"))]
    rates = [optimizer.get("lr")] if _is_number(optimizer.get("lr")) else [each.get("lr") for each in groups]
    return RunFacts(
        model=_text(model.get("class")),
        parameters=_count(model.get("parameters")),
        layers=_texts(model.get("layers")),
        optimizer=_text(optimizer.get("class")),
        lr=tuple(float(cast("float", rate)) for rate in rates if _is_number(rate)),
        settings={name: value for name, value in _settings(optimizer).items() if name not in ("class", "lr")},
        groups=tuple(groups),
        batch=_text(found.get("batch")),
        batches=_count(found.get("batches")),
        device=_text(found.get("device")),
        dtype=_text(found.get("dtype")),
        hardware=_text(found.get("hardware")),
        ranks=_count(found.get("ranks")),
        versions=_texts(found.get("versions")),
        began=_text(found.get("began")),
        step=_count(found.get("step")),
    )


def _mapping(value: Any) -> Mapping[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return cast("list[Any]", value) if isinstance(value, list) else []


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _count(value: Any) -> int | None:
    return value if type(value) is int and value >= 0 else None


def _is_number(value: Any) -> bool:
    return type(value) in (int, float)


def _texts(value: Any) -> dict[str, str]:
    return {name: each for name, each in _mapping(value).items() if isinstance(each, str)}


def _settings(value: Any) -> dict[str, Value]:
    """Single numbers and texts; a pair such as Adam's betas as text."""
    found: dict[str, Value] = {}
    for name, each in _mapping(value).items():
        if isinstance(each, bool | int | float | str):
            found[name] = each
        elif isinstance(each, list) and all(map(_is_number, cast("list[Any]", each))):
            found[name] = f"({', '.join(f'{number:g}' for number in cast('list[float]', each))})"
    return found
