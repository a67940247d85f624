"""A notebook's shell that tests can look into: what IPython would show is kept."""

import random
import sys
import types
from collections.abc import Callable
from typing import Any

import pytest
import torch


class Notebook:
    """Stands in for IPython's shell, its events and its displays."""

    def __init__(self) -> None:
        self.kernel = object()
        self.events = self
        self.shown: list[str] = []  # each HTML, in order
        self.callbacks: list[Callable[..., Any]] = []
        self.broken = False

    def register(self, _event: str, callback: Callable[..., Any]) -> None:
        self.callbacks.append(callback)

    def unregister(self, _event: str, callback: Callable[..., Any]) -> None:
        self.callbacks.remove(callback)

    def end_cell(self) -> None:
        for callback in self.callbacks:
            callback(None)

    def display(self, html: str, *, display_id: bool) -> "Notebook":
        assert display_id
        self.update(html)
        return self

    def update(self, html: str) -> None:
        torch.rand(1), random.random()
        if self.broken:
            raise ConnectionError("the browser is gone")
        self.shown.append(html)


@pytest.fixture
def notebook(monkeypatch: pytest.MonkeyPatch) -> Notebook:
    """The program runs in a notebook while the test lasts."""
    shell = Notebook()
    ipython, display = types.ModuleType("IPython"), types.ModuleType("IPython.display")
    vars(ipython).update(get_ipython=lambda: shell, display=display)
    vars(display).update(HTML=str, display=shell.display)
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", display)
    return shell
