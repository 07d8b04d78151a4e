"""Reads `imker.toml`: each side its own sections, both the same file.

In: a path and a pydantic model. Out: the model, or ConfigError with one line for each thing wrong, all at once.
"""

import difflib
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

SECTIONS = ("slack", "rights", "inventory", "hosts", "engine", "fleet")  # all that there are, whoever reads them

Model = TypeVar("Model", bound=BaseModel)


class ConfigError(Exception):
    """`lines`: what is wrong, ready to be read."""

    def __init__(self, lines: Iterable[str]) -> None:
        self.lines = tuple(lines)
        super().__init__("\n".join(self.lines))


def load(model: type[Model], path: Path) -> Model:
    """The model's own sections of the file; a section that nobody knows is an error, another side's is not."""
    document = _document(path)
    strangers = [_unknown(path, (name,), SECTIONS) for name in document if name not in SECTIONS]
    own = {name: value for name, value in document.items() if name in model.model_fields}
    try:
        loaded = model.model_validate(own)
    except ValidationError as wrong:
        raise ConfigError([*strangers, *(_line(path, model, error) for error in wrong.errors())]) from wrong
    if strangers:
        raise ConfigError(strangers)
    return loaded


def _document(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text())
    except FileNotFoundError:
        raise ConfigError([f"{path}: not there; IMKER_CONFIG names another file"]) from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as wrong:
        raise ConfigError([f"{path}: {wrong}"]) from wrong


def _line(path: Path, model: type[BaseModel], error: ErrorDetails) -> str:
    where = tuple(map(str, error["loc"]))
    if error["type"] == "extra_forbidden":
        return _unknown(path, where, _known(model, where[:-1]))
    return f"{path}: {_place(where)}: {error['msg'].removeprefix('Value error, ')}"


def _unknown(path: Path, where: tuple[str, ...], known: Iterable[str]) -> str:
    near = difflib.get_close_matches(where[-1], known, 1)
    hint = f"; did you mean {near[0]}?" if near else ""
    return f"{path}: {_place(where)}: unknown key{hint}"


def _place(where: tuple[str, ...]) -> str:
    if len(where) == 1:
        return f"[{where[0]}]"
    split = 2 if where[0] == "hosts" and len(where) > 2 else 1
    return f"[{'.'.join(where[:split])}] {'.'.join(where[split:])}"


def _known(model: type[BaseModel], where: tuple[str, ...]) -> list[str]:
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
