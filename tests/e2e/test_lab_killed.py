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
OPTION_FILES = {
    "tondi": DEFAULTS_PATH,
    "miltitz": UNIT_PATH,
}  # a member and the master, with the files of their options
MOMENTS: dict[str, Callable[[], bool]] = {
    "bridge exists": lambda: Path(f"/sys/class/net/{BRIDGE}").exists(),
    "disk exists": lambda: (machine.disk_dir("tondi") / "root/etc/machine-id").exists(),
    "systemd-nspawn started": lambda: "tondi" in cgroups.group_names(),
    "systemd started": lambda: machine.init_pid("miltitz") is not None,
    "containers created": lambda: any((machine.disk_dir("tondi") / "docker/containers").glob("*")),
    "one host ready": lambda: any(machine.ready_marker(name).exists() for name in OPTION_FILES),
}


@pytest.fixture(scope="module")
def no_hosts(hosts: tuple[LabHost, ...]) -> Iterator[None]:
    fleet.down()
    yield
    fleet.down()
    fleet.up(HOST_NAMES)


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.usefixtures("no_hosts")
def test_up_completes_what_a_killed_up_left_and_down_removes_it(moment: str) -> None:
    kill_up_when(MOMENTS[moment])
    assert lab_leftovers(), "up was killed before it finished"
    fleet.up(OPTION_FILES)
    for name, file in OPTION_FILES.items():
        assert container_states(name) == LEGACY_CONTAINERS[name]
        assert "--cluster-store=" in run_on(name, "cat", file)
    fleet.down()
    assert lab_leftovers() == []


@pytest.mark.usefixtures("no_hosts")
def test_down_removes_what_a_killed_up_left() -> None:
    kill_up_when(MOMENTS["containers created"])
    assert [host.state for host in fleet.status() if host.name == "tondi"] == ["half-made"]
    fleet.down()
    assert lab_leftovers() == []


def kill_up_when(true: Callable[[], bool]) -> None:
    with subprocess.Popen([sys.executable, "-m", "lab", "fleet", "up", *OPTION_FILES], stdout=subprocess.DEVNULL) as up:
        wait_until(lambda: true() or up.poll() is not None)
        assert up.poll() is None, "it was over before it could be killed"
        up.kill()
