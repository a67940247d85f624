"""`clinometer explain`."""

from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import RenderableType
from rich.markdown import Markdown
from rich.table import Table
from rich.text import Text

from clinometer.cli.answer import Answer
from clinometer.cli.errors import bad_input
from clinometer.cli.topics import Topic, Topics


def explain_command(topic: str = "", within: str = "", /) -> Answer:
    """Explain a quantity, a probe, an alarm, a paper or one of its claims; without a topic, list all that can be.

    Parameters
    ----------
    topic
        Such as beta, landscape, "update_ratio rises", santurkar2018, or the name of a page of the documentation.
    within
        With a paper: one of its claims, figures or theorems, such as C7.
    """
    topics = Topics()
    if not topic:
        groups = topics.groups()
        return Answer({"topics": groups}, _listed(groups))
    with bad_input():
        found = topics.find(topic, within)
    return Answer(
        {"topic": found.name, "kind": found.kind, "facts": found.facts, "page": found.page, "text": found.text},
        _shown(found),
    )


def _listed(groups: Mapping[str, Mapping[str, str]]) -> Iterator[RenderableType]:
    for title, lines in groups.items():
        yield Text(f"\n{title}", "underline")
        yield _grid(lines)


def _shown(topic: Topic) -> Iterator[RenderableType]:
    for name, fact in topic.facts.items():
        if isinstance(fact, Mapping) and topic.kind == "field":
            yield Text(name, "bold")
            yield _grid(fact)
    if topic.kind == "field" and len(topic.facts) > 1:
        first, *others = topic.facts
        yield f"The page of {first}; of the others: {' or '.join(f'clinometer explain {each}' for each in others)}."
    plain = {name: fact for name, fact in topic.facts.items() if topic.kind != "field"}
    if plain:
        yield Text(topic.name, "bold")
        yield _grid(plain)
    if topic.text:
        yield ""
        yield Markdown(topic.text, hyperlinks=False)


def _grid(lines: Mapping[str, Any]) -> Table:
    """A line for each fact that there is."""
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(ratio=1)
    for name, said in lines.items():
        told = ", ".join(f"{key} {value}" for key, value in said.items()) if isinstance(said, Mapping) else said
        if told not in ("", None):
            table.add_row(Text(f"  {name}"), Text(f"{told}", "dim"))
    return table
