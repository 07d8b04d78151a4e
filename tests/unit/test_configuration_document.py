"""docs/configuration.md names every key of imker.toml and every environment variable, with its default."""

import re
from collections.abc import Iterator
from pathlib import Path
from types import UnionType
from typing import Any, get_args, get_origin

import pytest
from pydantic import BaseModel

from bot.settings import File
from jobs.settings import Settings

ROOT = Path(__file__).parents[2]
ROWS = re.findall(r"^\| (.+) \|$", (ROOT / "docs/configuration.md").read_text(), re.MULTILINE)
DOCUMENTED = {name for row in ROWS for name in re.findall(r"`([\w.]+)`", row)}
SOURCES = [path.read_text() for folder in ("bot", "jobs", "imker") for path in (ROOT / folder).rglob("*.py")]
VARIABLES = {name for text in SOURCES for name in re.findall(r'"((?:IMKER|SLACK)_[A-Z_]+|REDIS_URL)"', text)}
NOT_FOR_PEOPLE = {"IMKER_FAULTS"}  # arms failpoints in tests


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    """Yield the models in an annotation: of a section, of `dict[str, Section]`, of `tuple[Section, ...]`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    elif get_origin(annotation) in (dict, tuple) or isinstance(annotation, UnionType):
        for inner in get_args(annotation):
            yield from _models(inner)


def _keys(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    for name, field in model.model_fields.items():
        path = f"{prefix}{field.alias or name}"
        models = list(_models(field.annotation))
        named = "NAME." if get_origin(field.annotation) is dict else ""
        if not models or prefix:
            yield path
        for inner in models:
            yield from _keys(inner, f"{path}.{named}")


@pytest.mark.parametrize("key", sorted({*_keys(File), *_keys(Settings)}))
def test_every_key_of_imker_toml_is_documented(key: str) -> None:
    assert key in DOCUMENTED


@pytest.mark.parametrize("name", sorted(VARIABLES - NOT_FOR_PEOPLE))
def test_every_environment_variable_is_documented(name: str) -> None:
    assert name in DOCUMENTED


@pytest.mark.parametrize(
    ("key", "default"),
    [
        ("slack.per_minute", File().slack.per_minute),
        ("slack.reads", f'"{File().slack.reads}"'),
        ("watch.every", File().watch.every),
        ("rights.accept_count", File().rights.accept_count),
        ("rights.accept_within", File().rights.accept_within),
        ("fleet.parallel", Settings().fleet.parallel),
        ("fleet.address_pool", f'"{Settings().fleet.address_pool}"'),
        ("engine.apt_list", Settings().engine.apt_list),
    ],
)
def test_the_documented_default_is_the_real_one(key: str, default: object) -> None:
    (row,) = [row for row in ROWS if row.startswith(f"`{key}` |")]
    assert f"| `{default}`" in row
