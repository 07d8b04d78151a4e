"""Figures of the lab on an otherwise idle machine: `make figures` prints them, docs/lab.md lists them."""

import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lab.fleet import base_image, fleet
from lab.fleet.hosts import BY_NAME, LabHost
from lab.fleet.shell import CACHE_DIR
from tests.e2e.conftest import HOST_NAMES
from tests.e2e.support.deployment import run_on
from tests.e2e.support.expected_state import lab_leftovers
from tests.e2e.test_lab_killed import kill_up_when
from tests.support.figures import record_figure

pytestmark = [pytest.mark.fleet, pytest.mark.long, pytest.mark.figures, pytest.mark.timeout(900)]


@pytest.fixture(autouse=True, scope="module")
def no_hosts(hosts: tuple[LabHost, ...]) -> Iterator[None]:
    fleet.down()
    yield
    fleet.down()
    fleet.up(HOST_NAMES)


def test_first_build_after_a_killed_one() -> None:
    shutil.rmtree(CACHE_DIR)
    kill_up_when(lambda: "/imker-lab/" in Path("/proc/self/mounts").read_text())  # debootstrap is running
    assert lab_leftovers()
    fleet.down()
    assert lab_leftovers() == []
    duration = measure_seconds(lambda: base_image.ensure_base(print))
    record_figure("the lab's first build", f"{duration:.0f} s")
    assert duration <= 180


@pytest.mark.parametrize(("number", "limit"), [(3, 12), (8, 20), (16, 40)])
def test_up_reset_and_down(number: int, limit: float) -> None:
    names = [*BY_NAME][:number]
    up = measure_seconds(lambda: fleet.up(names))
    for name in names:
        assert run_on(name, "docker", "version", "-f", "{{.Server.Version}}").startswith("20.10")
    reset = measure_seconds(lambda: fleet.reset(["tondi"]))
    down = measure_seconds(fleet.down)
    assert lab_leftovers() == []
    record_figure(f"{number} hosts: up, reset of one, down", f"{up:.1f} s, {reset:.1f} s, {down:.1f} s")
    assert (up <= limit, reset <= 6, down <= 8) == (True, True, True), (up, reset, down)


def measure_seconds(work: Callable[[], object]) -> float:
    started_at = time.monotonic()
    work()
    return time.monotonic() - started_at
