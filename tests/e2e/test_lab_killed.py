"""`up`, killed at several moments: the next `up` completes the hosts, and `down` leaves nothing."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lab.fleet import cgroups, fleet, machine
from lab.fleet.daemon_option_files import DEFAULTS_PATH, UNIT_PATH
from lab.fleet.hosts import BRIDGE, LabHost
from tests.e2e.conftest import HOST_NAMES
from tests.e2e.support.deployment import run_on, wait_until
from tests.e2e.support.expected_state import LEGACY_CONTAINERS, container_states, lab_leftovers

pytestmark = [pytest.mark.fleet, pytest.mark.timeout(400)]
TWO = {"tondi": DEFAULTS_PATH, "miltitz": UNIT_PATH}  # a member and the master, with the files of their options
MOMENTS: dict[str, Callable[[], bool]] = {
    "the bridge is there": lambda: Path(f"/sys/class/net/{BRIDGE}").exists(),
    "a disk is there": lambda: (machine.disk_dir("tondi") / "root/etc/machine-id").exists(),
    "systemd-nspawn begins": lambda: "tondi" in cgroups.group_names(),
    "systemd runs": lambda: machine.init_pid("miltitz") is not None,
    "containers are made": lambda: any((machine.disk_dir("tondi") / "docker/containers").glob("*")),
    "one host is whole": lambda: any(machine.ready_marker(name).exists() for name in TWO),
}


@pytest.fixture(scope="module")
def nothing_up(hosts: tuple[LabHost, ...]) -> Iterator[None]:
    fleet.down()
    yield
    fleet.down()
    fleet.up(HOST_NAMES)


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.usefixtures("nothing_up")
def test_up_completes_what_a_killed_up_left_and_down_removes_it(moment: str) -> None:
    killed_when(MOMENTS[moment])
    assert lab_leftovers(), "it was killed in the middle"
    fleet.up(TWO)
    for name, file in TWO.items():
        assert container_states(name) == LEGACY_CONTAINERS[name]
        assert "--cluster-store=" in run_on(name, "cat", file)
    fleet.down()
    assert lab_leftovers() == []


@pytest.mark.usefixtures("nothing_up")
def test_down_removes_what_a_killed_up_left() -> None:
    killed_when(MOMENTS["containers are made"])
    assert [host.state for host in fleet.status() if host.name == "tondi"] == ["half-made"]
    fleet.down()
    assert lab_leftovers() == []


def killed_when(true: Callable[[], bool]) -> None:
    with subprocess.Popen([sys.executable, "-m", "lab", "fleet", "up", *TWO], stdout=subprocess.DEVNULL) as up:
        wait_until(lambda: true() or up.poll() is not None)
        assert up.poll() is None, "it was over before it could be killed"
        up.kill()
