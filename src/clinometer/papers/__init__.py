"""Landscape papers as code that anybody can run: one folder each, and one row here."""

from collections.abc import Callable, Mapping
from importlib import import_module

from clinometer.studies.study import Study


def _study(name: str) -> Callable[[], Study]:
    return lambda: import_module(f"clinometer.papers.{name}").STUDY


PAPERS: Mapping[str, Callable[[], Study]] = {name: _study(name) for name in ("santurkar2018",)}
