"""The lab keeps its promises: real hosts in the state of 2016, and nothing left behind."""

import os
import ssl
import time
import urllib.request
from pathlib import Path

import paramiko
import pytest

from lab.fleet import fleet, machine, network
from lab.fleet.hosts import BRIDGE, LabHost
from lab.fleet.options import DEFAULTS
from tests.fleet.conftest import THREE

pytestmark = pytest.mark.fleet
STORE = fleet.CLIENT / "docker-machine/machines"


def engine(host: LabHost, path: str = "/version") -> str:
    """Over TLS, with the store's own files."""
    folder = STORE / host.name
    context = ssl.create_default_context(cafile=str(folder / "ca.pem"))
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    with urllib.request.urlopen(f"https://{host.address}:2376{path}", context=context, timeout=5) as answer:
        return str(answer.read().decode())


def names(host: LabHost) -> set[str]:
    return set(machine.enter(host.name, "docker", "ps", "--format", "{{.Names}}").stdout.split())


def test_the_engines_of_2016_answer_over_tls(legacy: tuple[LabHost, ...]) -> None:
    for host in legacy:
        assert '"Version":"20.10' in engine(host)


def test_a_stranger_without_a_certificate_is_refused(hosts: tuple[LabHost, ...]) -> None:
    context = ssl.create_default_context(cafile=str(STORE / "tondi/ca.pem"))
    with pytest.raises(OSError, match=r"certificate required|bad certificate"):
        urllib.request.urlopen(f"https://{hosts[1].address}:2376/version", context=context, timeout=5).read()


def test_ssh_with_the_written_key_and_the_true_host_keys(hosts: tuple[LabHost, ...]) -> None:
    for host in hosts:
        with paramiko.SSHClient() as client:
            client.load_host_keys(str(fleet.CLIENT / "known_hosts"))
            client.connect(
                host.address, username="geschke", key_filename=str(fleet.CLIENT / "ssh/id_ed25519"), timeout=5
            )
            _, out, _ = client.exec_command("sudo -n id -u; id -nG; hostname")
            said = out.read().decode().split()
        assert said[0] == "0"
        assert "docker" in said
        assert said[-1] == host.name


def test_the_classic_swarms_containers_run_where_they_belong(legacy: tuple[LabHost, ...]) -> None:
    applications = {"web", "batch", "cache"}
    assert names(legacy[0]) == applications
    assert names(legacy[1]) == applications | {"swarm-agent"}
    assert names(legacy[2]) == applications | {"consulnode01"}
    assert (
        "deb [trusted=yes] http://198.18.0.1"
        in machine.enter("tondi", "cat", "/etc/apt/sources.list.d/docker.list").stdout
    )


def test_with_the_flags_on_the_disk_the_next_restart_is_the_end_and_a_reset_brings_all_back(
    legacy: tuple[LabHost, ...],
) -> None:
    tondi = legacy[1]
    assert "--cluster-store=" in machine.enter("tondi", "cat", DEFAULTS).stdout
    assert machine.enter("tondi", "systemctl", "restart", "docker").returncode != 0
    with pytest.raises(OSError):  # noqa: PT011
        engine(tondi)
    began = time.monotonic()
    fleet.reset(["tondi"])
    assert time.monotonic() - began < idle(6)
    assert '"Version":"20.10' in engine(tondi)
    assert "swarm-agent" in names(tondi)


def test_a_reboot_keeps_the_disk(legacy: tuple[LabHost, ...]) -> None:
    machine.enter("connewitz", "touch", "/root/kept")
    before = machine.leader("connewitz")
    fleet.reboot(["connewitz"])
    assert machine.leader("connewitz") not in (None, before)
    assert machine.enter("connewitz", "ls", "/root/kept").returncode == 0


def test_up_after_all_was_killed_and_down_leaves_nothing(hosts: tuple[LabHost, ...]) -> None:
    began = time.monotonic()
    fleet.down()
    assert time.monotonic() - began < idle(8)
    assert left() == []
    began = time.monotonic()
    fleet.up(THREE)
    assert time.monotonic() - began < idle(12)
    machine.kill("tondi")
    fleet.up(THREE)
    assert '"Version":"20.10' in engine(hosts[1])


def idle(seconds: float) -> float:
    """What is promised where nothing else runs, for a machine as busy as this one is now."""
    return seconds * max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))


def left() -> list[str]:
    """Whatever of the lab is still on this machine."""
    mounts = [line for line in Path("/proc/self/mounts").read_text().splitlines() if "imker-lab" in line]
    groups = [str(path) for path in Path("/sys/fs/cgroup").glob("*/imker-lab")]
    links = [BRIDGE] if Path(f"/sys/class/net/{BRIDGE}").exists() else []
    links += [path.name for path in Path("/sys/class/net").glob("vb-*")]
    return [*mounts, *groups, *links, *map(str, network.servers()), *machine.known()]
