"""Describe every key of imker.toml in the JSON schema."""

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

from imker_cli import schema
from tests.unit.test_configuration_document import DOCUMENTED

ROOT = Path(__file__).parents[3]


def test_the_file_in_docs_is_current() -> None:
    """`make generated` writes it."""
    assert (ROOT / "docs/imker.schema.json").read_text() == schema.render()


def keys(node: dict[str, Any], definitions: dict[str, Any], prefix: str = "") -> set[str]:
    node = definitions[node["$ref"].rpartition("/")[2]] if "$ref" in node else node
    if isinstance(node.get("additionalProperties"), dict):
        return keys(node["additionalProperties"], definitions, f"{prefix}NAME.")
    inner = node.get("properties") or node.get("items", {})
    if "properties" not in node and "$ref" not in inner:
        return {prefix.rstrip(".")}
    parts = [(f"{prefix}{name}.", part) for name, part in node.get("properties", {}).items()] or [(prefix, inner)]
    return {key for name, part in parts for key in keys(part, definitions, name)}


def test_it_has_exactly_the_documented_keys() -> None:
    built = schema.build()
    documented = {key for key in DOCUMENTED if key.partition(".")[0] in built["properties"] and "." in key}
    containers = {"engine.apt_component", "rights.rule"}
    assert keys(built, built["$defs"]) == documented - containers


def test_nothing_in_it_depends_on_this_machine() -> None:
    text = schema.render()
    assert str(Path.home()) not in text
    assert "null" not in text
    assert json.loads(text)["$schema"].startswith("https://json-schema.org/")


def test_the_example_is_valid(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from bot.settings import File
    from imker.config import load_config
    from jobs.settings import Settings

    example = ROOT / "deploy/imker.example.toml"
    assert load_config(File, example).slack.channels == ("C01OPS",)
    assert list(load_config(Settings, example).hosts) == ["kaditz"]
    first, *_, last = example.read_text().splitlines()
    assert first == "#:schema ../docs/imker.schema.json"
    assert tomllib.loads(last.removeprefix("# "))["apt_component"]["to"] == "experimental"
