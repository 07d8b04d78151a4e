"""The lab keeps its promises: real hosts in the state of 2016, and nothing left behind."""

import signal
import ssl
import subprocess
import sys
import time
import urllib.request

import paramiko
import pytest

from lab.fleet import fleet, limits, machine
from lab.fleet.hosts import LabHost
from lab.fleet.options import DEFAULTS
from lab.slack.running import free_port
from tests.fleet.conftest import THREE
from tests.fleet.state import OF_2016, containers, left

pytestmark = [pytest.mark.fleet, pytest.mark.timeout(400)]  # the first one to run may build the base
STORE = fleet.CLIENT / "docker-machine/machines"


def engine(host: LabHost, path: str = "/version") -> str:
    """Over TLS, with the store's own files."""
    folder = STORE / host.name
    context = ssl.create_default_context(cafile=str(folder / "ca.pem"))
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    with urllib.request.urlopen(f"https://{host.address}:2376{path}", context=context, timeout=5) as answer:
        return str(answer.read().decode())


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
    for host in legacy:
        assert containers(host.name) == OF_2016[host.name]  # the master's: test_killed.py
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
    fleet.reset(["tondi"])
    assert '"Version":"20.10' in engine(tondi)
    assert containers("tondi") == OF_2016["tondi"]


def test_a_reboot_keeps_the_disk(legacy: tuple[LabHost, ...]) -> None:
    machine.enter("connewitz", "touch", "/root/kept")
    before = machine.leader("connewitz")
    fleet.reboot(["connewitz"])
    assert machine.leader("connewitz") not in (None, before)
    assert machine.enter("connewitz", "ls", "/root/kept").returncode == 0


def test_an_up_brings_back_a_host_that_lost_power_and_leaves_the_others(hosts: tuple[LabHost, ...]) -> None:
    others = [machine.leader(name) for name in THREE if name != "tondi"]
    machine.kill("tondi")
    fleet.up(("tondi", *THREE))
    assert '"Version":"20.10' in engine(hosts[1])
    assert [machine.leader(name) for name in THREE if name != "tondi"] == others


def lab(*argv: str) -> "subprocess.Popen[str]":
    words = [sys.executable, "-m", "lab", *argv]
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def test_a_second_demo_leaves_a_running_lab_alone(hosts: tuple[LabHost, ...]) -> None:
    before = [machine.leader(name) for name in THREE]
    demo = lab("demo", "kaditz", "--port", str(free_port()))
    said, _ = demo.communicate(timeout=60)
    assert demo.returncode == 1
    assert "a lab is running: connewitz (198.18.0.60), lausen (198.18.0.64), tondi (198.18.0.73)." in said
    assert "End it first: make fleet-down" in said
    assert [machine.leader(name) for name in THREE] == before
    assert "kaditz" not in machine.known()


def test_an_up_whose_terminal_closes_ends_what_it_began_and_leaves_the_others(hosts: tuple[LabHost, ...]) -> None:
    before = [machine.leader(name) for name in THREE]
    up = lab("fleet", "up", "kaditz")
    deadline = time.monotonic() + 60
    while machine.leader("kaditz") is None and time.monotonic() < deadline:
        time.sleep(0.05)
    up.send_signal(signal.SIGHUP)
    said, _ = up.communicate(timeout=60)
    assert up.returncode == 129, said
    assert "kaditz" not in machine.known()
    assert [machine.leader(name) for name in THREE] == before


def test_down_leaves_nothing_and_a_reset_needs_nothing(hosts: tuple[LabHost, ...]) -> None:
    fleet.down()
    assert left() == []
    assert fleet.status() == ()
    limit = limits.INOTIFY.read_text()
    limits.INOTIFY.write_text("200")
    fleet.reset(THREE)
    assert limits.INOTIFY.read_text() == "1024\n"
    fleet.down()
    assert limits.INOTIFY.read_text() == "200\n"
    limits.INOTIFY.write_text(limit)
    fleet.reset(THREE)
    assert all('"Version":"20.10' in engine(host) for host in hosts)
    assert {host.state for host in fleet.status()} == {"running"}
