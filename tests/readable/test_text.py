import dataclasses
import unicodedata
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from clinometer.readable.call import call_text
from clinometer.readable.results import readable
from clinometer.readable.text import number, short

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.complex_numbers(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner, inner) | st.sets(st.text()),
)


@given(ANYTHING)
def test_any_value_is_one_short_line_that_steers_nothing(value: Any) -> None:
    """Hypothesis's own values, names from all of Unicode among them: Python says what is printable."""
    text = short(value)
    assert len(text) < 1500
    assert text.isprintable() or "�" in text
    assert "\n" not in text
    assert "\x1b" not in text


class Hostile:
    """Everything that a repr would look at raises."""

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError("hostile")

    def __repr__(self) -> str:
        raise RuntimeError("hostile")


class Steering:
    def __repr__(self) -> str:
        return "a\x1b[2Jb"


@readable
@dataclasses.dataclass
class Holder:
    first: Any
    second: Any = None


def test_what_raises_is_told_by_its_type() -> None:
    """The type's name is all that Python guarantees."""
    assert short(Hostile()) == "<Hostile>"
    assert repr(Holder(Hostile(), [Steering()])) == "Holder(first=<Hostile>, second=[a�[2Jb])"
    half_made = object.__new__(Holder)
    assert repr(half_made) == "Holder(first=None)"
    assert short(type("x\x1b[2J" * 100, (), {})()).startswith("x�[2Jx�[2J")


def test_arrays_are_told_by_shape_type_and_range() -> None:
    """By hand, of both libraries; no gradient is recorded, and an accelerator is not waited for."""
    assert short(np.arange(100.0)) == "100 float64, 0 to 99"
    assert short(torch.ones(20, 3, requires_grad=True)) == "20×3 float32, 1 to 1"
    assert short(torch.full((9,), torch.nan)) == "9 float32, with NaN"
    assert short(torch.ones(9, device="meta")) == "9 float32 on meta"
    assert short(np.array(["a", "b"])) == "['a', 'b']"
    assert short(np.zeros((0, 3))) == "0×3 float64"
    assert short(torch.tensor(0.25)) == "¼"
    assert short(np.zeros(9, complex)) == "9 complex128"
    assert short(nn.Sequential(nn.Linear(1, 1))) == "Sequential"


@given(st.floats(-1e300, 1e300) | st.sampled_from([float("inf"), -float("inf"), float("nan")]))
def test_a_number_is_told_to_four_digits(value: float) -> None:
    """Python reads it again, within half of the last digit; fractions are read by unicodedata."""

    text = number(value)
    sign, digits = (-1, text[1:]) if text.startswith("-") else (1, text)
    read = sign * (unicodedata.numeric(digits) if digits in "¼½¾" else float(digits))
    assert read == pytest.approx(value, rel=5.1e-4, nan_ok=True)


def test_a_call_is_told_as_it_could_be_written() -> None:
    """The text, evaluated by Python, calls the function with the same arguments."""

    def made(sizes: Any = None, *, direction: str = "gradient", blocks: Any = None) -> dict[str, Any]:
        return {"sizes": sizes, "direction": direction, "blocks": blocks}

    for args, options in (
        ((), {}),
        (((1, 2),), {"direction": "update"}),
        ((), {"sizes": [3], "blocks": {"a": ["b"]}}),
    ):
        text = call_text(made, args, options)
        assert eval(text, {"made": made}) == made(*args, **options)
    assert call_text(made, (), {}) == "made()"
    assert call_text(made, (1, 2, 3), {}) == "made(…)"


def test_a_table_has_the_vectors_of_a_result() -> None:
    """Counted: a line for each entry, none for a result of single numbers, and names are text."""
    shown = Holder(np.arange(50.0), ["<script>"] * 50)._repr_html_()  # type: ignore[attr-defined]
    assert shown.count("<tr>") == 41
    assert "… 50 in all" in shown
    assert "<script>" not in shown
    assert Holder(1.0)._repr_html_() is None  # type: ignore[attr-defined]
