"""Render the JSON schema of imker.toml: the sections of the bot and of the RQ workers as one document."""

import json
from typing import Any

from bot.settings import File
from jobs.settings import Settings

UNUSED_KEYS = ("title", "format")  # pydantic's own: they say nothing about a TOML file


def render() -> str:
    """Return the schema as text."""
    return json.dumps(build(), indent=2) + "\n"


def build() -> dict[str, Any]:
    """Return the schema. [rights] is the bot's: the RQ workers read some of its keys."""
    bot, jobs = File.model_json_schema(), Settings.model_json_schema()
    properties = {**jobs["properties"], **bot["properties"]}
    definitions = {**jobs["$defs"], **bot["$defs"]}
    del definitions["AcceptanceRules"]
    definitions["InventorySection"]["properties"]["known_hosts"]["default"] = "~/.ssh/known_hosts"
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "description": "imker.toml, the configuration of Imker",
        "type": "object",
        "additionalProperties": False,
        "properties": {name: _without_default(_simplify(node)) for name, node in sorted(properties.items())},
        "$defs": {name: _simplify(node) for name, node in sorted(definitions.items())},
    }


def _simplify(node: Any) -> Any:
    """Remove what TOML does not have: null as an alternative and as a default."""
    if isinstance(node, list):
        return [_simplify(item) for item in node]
    if not isinstance(node, dict):
        return node
    simplified = {key: _simplify(value) for key, value in node.items() if key not in UNUSED_KEYS and value is not None}
    alternatives = [option for option in simplified.pop("anyOf", ()) if option != {"type": "null"}]
    return {**simplified, **(alternatives[0] if len(alternatives) == 1 else {})}


def _without_default(section: dict[str, Any]) -> dict[str, Any]:
    """Remove the default of a section: its keys have defaults of their own."""
    return {key: value for key, value in section.items() if key != "default"}
