"""The lab's own figures, on a machine that does nothing else: `make figures` prints them, docs/lab.md shows them."""

import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lab.fleet import base, fleet
from lab.fleet.hosts import BY_NAME, LabHost
from lab.fleet.shell import CACHE
from tests.figures import figure
from tests.fleet.conftest import THREE
from tests.fleet.imkers import on
from tests.fleet.state import left
from tests.fleet.test_killed import killed_when

pytestmark = [pytest.mark.fleet, pytest.mark.long, pytest.mark.figures, pytest.mark.timeout(900)]


@pytest.fixture(autouse=True, scope="module")
def nothing_up(hosts: tuple[LabHost, ...]) -> Iterator[None]:
    fleet.down()
    yield
    fleet.down()
    fleet.up(THREE)


def test_the_first_build_also_after_one_that_was_killed() -> None:
    shutil.rmtree(CACHE)
    killed_when(lambda: "/imker-lab/" in Path("/proc/self/mounts").read_text())  # debootstrap is at it
    assert left()
    fleet.down()
    assert left() == []
    took = seconds(lambda: base.ready(print))
    figure("the lab's first build", f"{took:.0f} s")
    assert took <= 180


@pytest.mark.parametrize(("number", "promised"), [(3, 12), (8, 20), (16, 40)])
def test_up_reset_and_down(number: int, promised: float) -> None:
    names = [*BY_NAME][:number]
    up = seconds(lambda: fleet.up(names))
    for name in names:
        assert on(name, "docker", "version", "-f", "{{.Server.Version}}").startswith("20.10")
    reset = seconds(lambda: fleet.reset(["tondi"]))
    down = seconds(fleet.down)
    assert left() == []
    figure(f"{number} hosts: up, reset of one, down", f"{up:.1f} s, {reset:.1f} s, {down:.1f} s")
    assert (up <= promised, reset <= 6, down <= 8) == (True, True, True), (up, reset, down)


def seconds(work: Callable[[], object]) -> float:
    began = time.monotonic()
    work()
    return time.monotonic() - began
