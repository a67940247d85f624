"""What `clinometer explain` knows: fields, probes, alarms, papers with their claims, and pages, each by its name."""

import difflib
import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clinometer.cli.pages import page_with, pages, readable, section_with, title_of
from clinometer.papers import find_papers, load_study
from clinometer.probes.base import Probe
from clinometer.probes.field import Field, declared_by
from clinometer.probes.registry import PROBES
from clinometer.recorder.alerts.advice import advice_on

_DIRECTION = re.compile(r" (rises|falls|above|below|is above|is below)$")  # of an alarm's name


@dataclass(frozen=True)
class Topic:
    """What there is to say of something."""

    name: str
    kind: str  # field, probe, claim, figure, theorem, paper or page
    facts: Mapping[str, Any]  # in the order in which they are told
    page: str | None = None  # the name of a page
    text: str = ""  # Markdown


class Topics:
    """All that can be explained. Fields are read from the probes, claims from the papers, the rest from the pages."""

    def __init__(self) -> None:
        self.pages = pages()
        self.fields = declared_by({name: _made(make) for name, make in PROBES.items()})
        self.papers = tuple(find_papers())

    def groups(self) -> dict[str, dict[str, str]]:
        """Every name with a line on it, by kind; claims are under their paper's name."""
        probes = {name: ", ".join(fields) for name, fields in self.fields.items()}
        papers = {name: f"clinometer explain {name} CLAIM; for a list: clinometer list {name}" for name in self.papers}
        titles = {name: title_of(page) for name, page in self.pages.items() if "/" not in name}
        return {"Probes and their fields": probes, "Papers": papers, "Pages": titles}

    def find(self, words: str, within: str = "") -> Topic:
        """The topic of this name.

        Args:
            words: Of a field, as `beta` or `landscape.beta`, also by its label, as `β`; of an alarm, as `beta rises`;
                of a probe, a page or a paper.
            within: With a paper's name in `words`: one of its claims, figures or theorems.

        Raises:
            ValueError: if there is none; the message says what may have been meant.
        """
        if within:
            return self._of_paper(words, within)
        name = _DIRECTION.sub("", words).replace("/", ".")
        page = self._page(words) or self._page(f"{words}s")
        return self._field(name) or self._probe(name) or page or self._paper(words) or self._claim(words)

    def _field(self, name: str) -> Topic | None:
        probe, _, field = name.rpartition(".")
        there = {
            f"{owner}.{each}": declared
            for owner, fields in self.fields.items()
            for each, declared in fields.items()
            if probe in ("", owner) and name not in self.fields and field in (each, declared.label)
        }
        if not there:
            return None
        told: dict[str, Any] = {full: _described(full, declared) for full, declared in there.items()}
        page = self._page_of(next(iter(there)).partition(".")[0])  # where several probes have it: the first one's
        return self._with_page(Topic(name, "field", told), page)

    def _probe(self, name: str) -> Topic | None:
        if name not in self.fields:
            return None
        told = {"what": (inspect.getdoc(PROBES[name]) or "").partition("\n")[0]}
        told |= {f"{name}.{field}": declared.meaning for field, declared in self.fields[name].items()}
        return self._with_page(Topic(name, "probe", told), self._page_of(name))

    def _page(self, name: str) -> Topic | None:
        named = [each for each in self.pages if name in (each, each.rpartition("/")[2])]
        return self._with_page(Topic(name, "page", {}), named[0]) if named else None

    def _paper(self, name: str) -> Topic | None:
        if name not in self.papers:
            return None
        study = load_study(name)
        told = {"title": study.title, "source": study.source, "read": study.read}
        told["claims"] = ", ".join(claim.id for claim in study.claims)
        page = "paper" if name == "santurkar2018" else page_with(f"claims {name}", self.pages)
        return self._with_page(Topic(name, "paper", told), page)

    def _claim(self, words: str) -> Topic:
        papers = [name for name in self.papers if words in {claim.id for claim in load_study(name).claims}]
        if len(papers) == 1:
            return self._of_paper(papers[0], words)
        if papers:
            which = " or ".join(f"`clinometer explain {name} {words}`" for name in papers)
            raise ValueError(f"{words} is a claim of {len(papers)} studies: {which}.")
        names = {*self.fields, *self.pages, *self.papers}
        names |= {each for fields in self.fields.values() for each in fields}
        close = difflib.get_close_matches(words.lower(), sorted(names), n=3, cutoff=0.5)
        hint = f" Did you mean {' or '.join(map(repr, close))}?" if close else ""
        raise ValueError(f"nothing is known of {words!r}.{hint} `clinometer explain` lists what is.")

    def _of_paper(self, paper: str, name: str) -> Topic:
        study = load_study(paper)
        claims = {claim.id: claim for claim in study.claims}
        if name in claims:
            claim = claims[name]
            told = {"statement": claim.statement, "source": claim.source, "rule": claim.rule}
            told |= {"bounds": dict(claim.bounds), "figures": ", ".join(claim.figures)}
            page = "paper" if paper == "santurkar2018" else None
            text = section_with(f"claim {name}", self.pages[page]) if page in self.pages else ""
            return Topic(f"{paper} {name}", "claim", told, page, readable(text))
        if name in study.figures:
            return Topic(f"{paper} {name}", "figure", {"title": study.figures[name].title})
        if name in study.theorems:
            theorem = study.theorems[name]
            return Topic(f"{paper} {name}", "theorem", {"title": theorem.title, "source": theorem.source})
        names = [*claims, *study.figures, *study.theorems]
        close = difflib.get_close_matches(name, names, n=1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        raise ValueError(f"{paper} has no claim, figure or theorem {name!r}; there are {', '.join(names)}.{hint}")

    def _page_of(self, probe: str) -> str | None:
        return probe if probe in self.pages else page_with(f"fields {probe}", self.pages)

    def _with_page(self, topic: Topic, page: str | None) -> Topic:
        if page not in self.pages:
            return topic
        text = readable(Path(self.pages[page]).read_text(encoding="utf-8"))
        return Topic(topic.name, topic.kind, topic.facts, page, text)


def _made(make: Callable[..., Probe]) -> Probe:
    """A probe, for its declarations: what it must be told, such as modules, does not change these."""
    required = [each for each in inspect.signature(make).parameters.values() if each.default is each.empty]
    return make(*(["any"] for _ in required))


def _described(full: str, field: Field) -> dict[str, Any]:
    """What a field declares, and what to try where it gives an alarm."""
    quantity = full.replace(".", "/")
    alarms = {kind: advice_on(quantity, kind)[1] for kind in ("rises", "falls")} if field.kind != "text" else {}
    told = {"meaning": field.meaning, "unit": field.unit, "axes": ", ".join(field.axes), "label": field.label}
    return {**told, "limit": field.limit, **{f"if it {kind}": advice for kind, advice in alarms.items()}}
