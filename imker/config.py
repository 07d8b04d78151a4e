"""Read `imker.toml`: bot and RQ workers read their own sections of the same file.

In: a path and a pydantic model. Out: the model, and a line for each problem, all at once, in the terms of the file.
"""

import difflib
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

SECTIONS = ("slack", "rights", "inventory", "hosts", "engine", "fleet", "watch")  # all sections, of bot and RQ workers
LIST_EXPECTED, TABLE_EXPECTED, NUMBER_EXPECTED = (
    'must be a list, such as ["…"]',
    "must be a table, such as {{ key = … }}",
    "must be a whole number",
)
ERROR_TEXT = {  # pydantic's error type -> what is valid
    "missing": "missing",
    "tuple_type": LIST_EXPECTED,
    "list_type": LIST_EXPECTED,
    "dict_type": TABLE_EXPECTED,
    "model_type": TABLE_EXPECTED,
    "model_attributes_type": TABLE_EXPECTED,
    "string_type": "must be a text in quotes",
    "path_type": "must be a path in quotes",
    "int_type": NUMBER_EXPECTED,
    "int_parsing": NUMBER_EXPECTED,
    "int_from_float": NUMBER_EXPECTED,
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "literal_error": "must be {expected}",
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
    "ip_v4_network": 'must be a network, such as "10.0.0.0/8"',
    "value_error": "{error}",
}

Model = TypeVar("Model", bound=BaseModel)


class AcceptanceRules(BaseModel):
    """What it takes to accept a manager, and to start a change.

    Bot and RQ workers both read these keys; the RQ workers' values count.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")
    accept_own: bool = False  # the requester may accept
    accept_count: int = Field(default=1, ge=1, le=5)  # different people
    accept_within: int = Field(default=30, ge=1, le=24 * 60)  # minutes
    confirm: bool = False  # each change shows its plan and waits for a person to start it


class ConfigError(Exception):
    """Raised for a configuration with problems. `lines`: one line for each."""

    def __init__(self, lines: Iterable[str]) -> None:
        self.lines = tuple(lines)
        super().__init__("\n".join(self.lines))


def load_config(model: type[Model], path: Path) -> Model:
    """Return the model's sections of the file. Raises ConfigError with a line for each problem."""
    instance, problems = read_partial(model, path)
    if problems:
        raise ConfigError(problems)
    return instance


def read_partial(model: type[Model], path: Path) -> tuple[Model, tuple[str, ...]]:
    """Return what is valid in the file, and a line for each problem.

    An unknown section is a problem, a section of another model is not. Raises ConfigError if the file is unreadable.
    """
    document = _read_document(path)
    unknown = [_describe_unknown_key((name,), SECTIONS) for name in document if name not in SECTIONS]
    sections = {name: value for name, value in document.items() if name in model.model_fields}
    instance, problems = _validate_leniently(model, sections)
    return instance, tuple(f"{path}: {line}" for line in [*unknown, *problems])


def describe_error(error: ErrorDetails) -> str:
    """Return the error in plain words."""
    words = ERROR_TEXT.get(error["type"], "{msg}")
    return words.format(msg=error["msg"], **error.get("ctx", {}))


def _read_document(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text())
    except FileNotFoundError:
        raise ConfigError([f"{path}: file not found; set IMKER_CONFIG to use another file"]) from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError([f"{path}: {error}"]) from error


def _validate_leniently(model: type[Model], sections: dict[str, Any]) -> tuple[Model, list[str]]:
    """Use defaults for invalid keys, so that the other keys can be checked too."""
    try:
        return model.model_validate(sections), []
    except ValidationError as failure:
        errors = failure.errors()
    for error in errors:
        _remove_key(sections, error["loc"][: 3 if error["loc"][0] == "hosts" else 2])
    return _validate_leniently(model, sections)[0], [_describe_problem(model, error) for error in errors]


def _remove_key(document: dict[str, Any], location: tuple[int | str, ...]) -> None:
    """Remove the key, if an earlier error has not removed its section."""
    *above, last = location
    for name in above:
        document = document.get(str(name), {})
    document.pop(str(last), None)


def _describe_problem(model: type[BaseModel], error: ErrorDetails) -> str:
    location = error["loc"]
    if error["type"] == "extra_forbidden":
        return _describe_unknown_key(location, _allowed_keys(model, location[:-1]))
    return f"{_format_location(location)}: {describe_error(error)}"


def _describe_unknown_key(location: tuple[int | str, ...], allowed: Iterable[str]) -> str:
    suggestions = difflib.get_close_matches(str(location[-1]), allowed, 1)
    hint = f"; did you mean {suggestions[0]}?" if suggestions else ""
    return f"{_format_location(location)}: unknown key{hint}"


def _format_location(location: tuple[int | str, ...]) -> str:
    """Return the section and key as in the file, with the number of a list's entry."""
    split = 2 if location[0] == "hosts" else 1
    section = ".".join(map(str, location[:split]))
    keys = [f"entry {name + 1}" if isinstance(name, int) else name for name in location[split:]]
    return " ".join([f"[{section}]", *keys])


def _allowed_keys(model: type[BaseModel], location: tuple[int | str, ...]) -> list[str]:
    """Return the keys that are valid at this location of the model."""
    schema = model.model_json_schema()
    here: dict[str, Any] = schema
    for name in location:
        inside = here.get("properties", {}).get(name) or here.get("items") or here.get("additionalProperties") or {}
        here = _resolve_reference(schema, inside)
    return list(here.get("properties", {}))


def _resolve_reference(schema: dict[str, Any], node: dict[str, Any]) -> dict[str, Any]:
    for option in (node, *node.get("anyOf", ()), *node.get("allOf", ())):
        if "$ref" in option:
            return dict(schema["$defs"][option["$ref"].rsplit("/", 1)[-1]])
    return node
