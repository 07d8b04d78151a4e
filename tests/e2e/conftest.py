"""Three real hosts, for as long as the tests need them."""

import os
import platform
from collections.abc import Iterator

import pytest

from lab.fleet import fleet
from lab.fleet.hosts import LabHost
from tests.e2e.support.deployment import Deployment, start_deployment
from tests.e2e.support.host import HOST

HOST_NAMES = ("connewitz", "tondi", "lausen")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Without root there are no real hosts; the last lines of the run say so."""
    if platform.system() != "Linux" or os.geteuid() != 0:
        for item in items:
            if "tests/e2e/" in item.nodeid:
                item.add_marker(pytest.mark.skip(reason="real hosts need Linux and root: sudo make test"))


@pytest.fixture(scope="session")
def hosts() -> Iterator[tuple[LabHost, ...]]:
    fleet.down()
    yield fleet.up(HOST_NAMES)
    fleet.down()


@pytest.fixture
def legacy(hosts: tuple[LabHost, ...]) -> tuple[LabHost, ...]:
    """All three in the state of 2016, whatever the test before has made of them."""
    fleet.reset(HOST_NAMES)
    return hosts


@pytest.fixture(scope="module")
def three(hosts: tuple[LabHost, ...]) -> tuple[LabHost, ...]:
    """All three in the state of 2016, once for a file whose tests change but tondi."""
    fleet.reset(HOST_NAMES)
    return hosts


@pytest.fixture
def imker(three: tuple[LabHost, ...]) -> Iterator[Deployment]:
    """A new one, over hosts of which tondi is in the state of 2016: it is the one that faults happen to."""
    fleet.reset([HOST])
    with start_deployment() as started:
        yield started
