"""Commands that only read, as tools for programs: arguments, what these mean, and sentences are the command's."""

import inspect
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from clinometer.cli.answer import Answer
from clinometer.cli.app import COMMANDS, app
from clinometer.cli.errors import bad_input
from clinometer.extras import need

# Command -> the arguments that may be given, and the option without which it would write, or not end.
TOOLS: Mapping[str, tuple[tuple[str, ...], str]] = {
    "report": (("FOLDER", "--against"), "--read-only"),
    "watch": (("PATH",), "--once"),
    "compare": (("FOLDERS", "--with", "--quantity", "--over"), ""),
    "status": (("FOLDER",), ""),
    "explain": (("TOPIC", "WITHIN"), ""),
    "list": (("PAPER",), ""),
    "doctor": ((), ""),
}


class Tool:
    """A command for a program, which may name what is in the folder `root` and nothing beyond."""

    def __init__(self, name: str, root: Path) -> None:
        self._pydantic, self._root = need("pydantic", "mcp"), root
        self._command: Any = app[name].default_command
        every = {each.name: each for each in app[name].assemble_argument_collection(parse_docstring=True)}
        taken, option = TOOLS[name]
        self._fixed = {every[option].field_info.name: True} if option else {}
        self._taken = {each.strip("-").lower(): every[each] for each in taken}
        fields: dict[str, Any] = {}
        for key, each in self._taken.items():
            default = ... if each.field_info.default is inspect.Parameter.empty else each.field_info.default
            fields[key] = (each.hint, self._pydantic.Field(default, description=each.parameter.help))
        self._model = self._pydantic.create_model(name, __config__={"extra": "forbid"}, **fields)
        self.schema: dict[str, Any] = self._model.model_json_schema()
        self.about = every[option].parameter.help if option else COMMANDS[name]

    def call(self, arguments: Mapping[str, Any]) -> Answer:
        """What the command found; it ends as it does in a terminal."""
        words: list[Any] = []
        options: dict[str, Any] = {**self._fixed}
        with bad_input():
            for key, value in self._checked(arguments):
                place = self._taken[key].field_info
                if place.kind is inspect.Parameter.VAR_POSITIONAL:
                    words += value
                elif place.kind is inspect.Parameter.POSITIONAL_ONLY:
                    words.append(value)
                else:
                    options[place.name] = value
        return self._command(*words, **options)

    def _checked(self, arguments: Mapping[str, Any]) -> Iterable[tuple[str, Any]]:
        """The values by name; ValueError if one is of the wrong type, or leads out of the root."""
        try:
            values = dict(self._model.model_validate(dict(arguments)))
        except self._pydantic.ValidationError as error:
            wrong = [f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors()]
            raise ValueError(f"{'; '.join(wrong)}.") from error
        for value in values.values():
            for each in value if isinstance(value, tuple) else (value,):
                # also what is no path: `list` says of a name what is in the folder of that name
                if isinstance(each, str | Path) and not Path(os.path.realpath(each)).is_relative_to(self._root):
                    raise ValueError(f"{each} is beyond {self._root}, and nothing there is read: see --root.")
        return values.items()
