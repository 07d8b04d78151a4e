"""Three real hosts for the tests of this folder."""

import os
import platform
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.fleet import fleet
from lab.fleet.hosts import LabHost
from tests.e2e.support.deployment import Deployment, start_deployment
from tests.e2e.support.host import HOST
from tests.e2e.support.image import build_images

BUILDER = "connewitz"
HOST_NAMES = ("connewitz", "tondi", "lausen")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip these tests without root, with a reason in the summary."""
    if platform.system() != "Linux" or os.geteuid() != 0:
        for item in items:
            if "tests/e2e/" in item.nodeid:
                item.add_marker(pytest.mark.skip(reason="real hosts need Linux and root: sudo make test"))


@pytest.fixture(scope="session")
def hosts() -> Iterator[tuple[LabHost, ...]]:
    fleet.down()
    yield fleet.up(HOST_NAMES)
    fleet.down()


@pytest.fixture(scope="session")
def images(hosts: tuple[LabHost, ...], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the images on a host once, and return the file that they are saved in."""
    fleet.reset([BUILDER])
    archive = tmp_path_factory.mktemp("images") / "images.tar"
    build_images(BUILDER, archive)
    fleet.reset([BUILDER])
    return archive


@pytest.fixture
def legacy(hosts: tuple[LabHost, ...]) -> tuple[LabHost, ...]:
    """Reset all three hosts to their 2016 state before each test."""
    fleet.reset(HOST_NAMES)
    return hosts


@pytest.fixture(scope="module")
def three(hosts: tuple[LabHost, ...]) -> tuple[LabHost, ...]:
    """Reset all three hosts to their 2016 state once per file. Its tests change only tondi."""
    fleet.reset(HOST_NAMES)
    return hosts


@pytest.fixture
def imker(three: tuple[LabHost, ...]) -> Iterator[Deployment]:
    """Start a new Imker after a reset of tondi, the host that faults are injected into."""
    fleet.reset([HOST])
    with start_deployment() as started:
        yield started
