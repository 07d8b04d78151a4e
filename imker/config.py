"""Reads `imker.toml`: each side its own sections, both the same file.

In: a path and a pydantic model. Out: the model, and one line for each thing wrong, all at once, in words of the file.
"""

import difflib
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

SECTIONS = ("slack", "rights", "inventory", "hosts", "engine", "fleet")  # all that there are, whoever reads them
LIST, TABLE, NUMBER = 'a list is wanted, such as ["…"]', "a table is wanted, {{ key = … }}", "a whole number is wanted"
WORDS = {  # pydantic's type of an error: what would be right
    "missing": "missing",
    "tuple_type": LIST,
    "list_type": LIST,
    "dict_type": TABLE,
    "model_type": TABLE,
    "model_attributes_type": TABLE,
    "string_type": "a text in quotes is wanted",
    "path_type": "a path in quotes is wanted",
    "int_type": NUMBER,
    "int_parsing": NUMBER,
    "int_from_float": NUMBER,
    "bool_type": "true or false is wanted",
    "bool_parsing": "true or false is wanted",
    "literal_error": "{expected} is wanted",
    "greater_than_equal": "at least {ge} is wanted",
    "less_than_equal": "at most {le} is wanted",
    "ip_v4_network": 'a network is wanted, such as "10.0.0.0/8"',
    "value_error": "{error}",
}

Model = TypeVar("Model", bound=BaseModel)


class ConfigError(Exception):
    """`lines`: what is wrong, ready to be read."""

    def __init__(self, lines: Iterable[str]) -> None:
        self.lines = tuple(lines)
        super().__init__("\n".join(self.lines))


def load(model: type[Model], path: Path) -> Model:
    """The model's own sections of the file. Raises ConfigError for all that is wrong with them."""
    loaded, problems = read(model, path)
    if problems:
        raise ConfigError(problems)
    return loaded


def read(model: type[Model], path: Path) -> tuple[Model, tuple[str, ...]]:
    """What is right in the file, and a line for each thing that is not: a section that nobody knows is, another side's
    not. Raises ConfigError for a file that cannot be read at all.
    """
    document = _document(path)
    strangers = [_unknown((name,), SECTIONS) for name in document if name not in SECTIONS]
    own = {name: value for name, value in document.items() if name in model.model_fields}
    loaded, wrong = _right(model, own)
    return loaded, tuple(f"{path}: {line}" for line in [*strangers, *wrong])


def told(error: ErrorDetails) -> str:
    """One error in plain words."""
    words = WORDS.get(error["type"], "{msg}")
    return words.format(msg=error["msg"], **error.get("ctx", {}))


def _document(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text())
    except FileNotFoundError:
        raise ConfigError([f"{path}: not there; IMKER_CONFIG names another file"]) from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as wrong:
        raise ConfigError([f"{path}: {wrong}"]) from wrong


def _right(model: type[Model], own: dict[str, Any]) -> tuple[Model, list[str]]:
    """Defaults stand in for keys that are wrong, so that what depends on the others can be judged as well."""
    try:
        return model.model_validate(own), []
    except ValidationError as wrong:
        errors = wrong.errors()
    for error in errors:
        _drop(own, error["loc"][: 3 if error["loc"][0] == "hosts" else 2])
    return _right(model, own)[0], [_line(model, error) for error in errors]


def _drop(document: dict[str, Any], where: tuple[int | str, ...]) -> None:
    """One error may have dropped what another is in."""
    *above, last = where
    for name in above:
        document = document.get(str(name), {})
    document.pop(str(last), None)


def _line(model: type[BaseModel], error: ErrorDetails) -> str:
    where = error["loc"]
    if error["type"] == "extra_forbidden":
        return _unknown(where, _known(model, where[:-1]))
    return f"{_place(where)}: {told(error)}"


def _unknown(where: tuple[int | str, ...], known: Iterable[str]) -> str:
    near = difflib.get_close_matches(str(where[-1]), known, 1)
    hint = f"; did you mean {near[0]}?" if near else ""
    return f"{_place(where)}: unknown key{hint}"


def _place(where: tuple[int | str, ...]) -> str:
    """As the file has it; of a list, the number of the entry."""
    split = 2 if where[0] == "hosts" else 1
    section = ".".join(map(str, where[:split]))
    keys = [f"entry {name + 1}" if isinstance(name, int) else name for name in where[split:]]
    return " ".join([f"[{section}]", *keys])


def _known(model: type[BaseModel], where: tuple[int | str, ...]) -> list[str]:
    """The keys that may stand at a place, following the models down."""
    schema = model.model_json_schema()
    here: dict[str, Any] = schema
    for name in where:
        inside = here.get("properties", {}).get(name) or here.get("items") or here.get("additionalProperties") or {}
        here = _resolved(schema, inside)
    return list(here.get("properties", {}))


def _resolved(schema: dict[str, Any], node: dict[str, Any]) -> dict[str, Any]:
    for option in (node, *node.get("anyOf", ()), *node.get("allOf", ())):
        if "$ref" in option:
            return dict(schema["$defs"][option["$ref"].rsplit("/", 1)[-1]])
    return node
