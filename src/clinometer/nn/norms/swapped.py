"""What `swap_norms` did."""

from dataclasses import dataclass

from clinometer.readable import html
from clinometer.readable.results import readable


@readable
@dataclass(frozen=True)
class Replacement:
    """One norm that was replaced."""

    names: tuple[str, ...]  # as in `model.named_modules()`; several of a module that is used in several places
    before: str
    after: str
    kept: tuple[str, ...]  # parameters and buffers of the norm before that the new one has
    dropped: tuple[str, ...]  # parameters that the new one has no place for


@readable
@dataclass(frozen=True)
class Left:
    """One norm that was not replaced, and why."""

    names: tuple[str, ...]
    norm: str
    reason: str


@readable
@dataclass(frozen=True)
class Swapped:
    """The norms of a model that were replaced, and those that were not.

    Example:
        >>> print(Swapped((Replacement(("1",), "BatchNorm2d(8)", "GroupNorm", ("weight", "bias"), ()),), ()))
        replaced 1 norm:
          1: BatchNorm2d(8) -> GroupNorm; kept weight, bias
    """

    replaced: tuple[Replacement, ...]
    left: tuple[Left, ...]

    def __str__(self) -> str:
        lines = [f"replaced {_norms(len(self.replaced))}:", *(_replaced(each) for each in self.replaced)]
        if self.left:
            lines += [f"left {_norms(len(self.left))}:", *(_left(each) for each in self.left)]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        return html.lines(self)


def _replaced(one: Replacement) -> str:
    told = f"  {', '.join(one.names)}: {one.before} -> {one.after}"
    told += f"; kept {', '.join(one.kept)}" if one.kept else "; nothing kept"
    return told + (f"; dropped {', '.join(one.dropped)}" if one.dropped else "")


def _left(one: Left) -> str:
    return f"  {', '.join(one.names)}: {one.norm}: {one.reason}"


def _norms(count: int) -> str:
    return f"{count} norm" if count == 1 else f"{count} norms"
