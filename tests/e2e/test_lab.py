"""The promises of the lab: real hosts in their 2016 state, and nothing left behind."""

import signal
import ssl
import subprocess
import sys
import time
import urllib.request

import paramiko
import pytest

from lab.fleet import fleet, limits, machine
from lab.fleet.daemon_option_files import DEFAULTS_PATH
from lab.fleet.hosts import LabHost
from lab.slack.server_process import free_port
from tests.e2e.conftest import HOST_NAMES
from tests.e2e.support.expected_state import LEGACY_CONTAINERS, container_states, lab_leftovers

pytestmark = [pytest.mark.fleet, pytest.mark.timeout(400)]  # the first test may have to build the base
STORE = fleet.CLIENT_DIR / "docker-machine/machines"


def engine(host: LabHost, path: str = "/version") -> str:
    """Query an Engine over TLS with the files of docker-machine's store."""
    folder = STORE / host.name
    context = ssl.create_default_context(cafile=str(folder / "ca.pem"))
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    with urllib.request.urlopen(f"https://{host.address}:2376{path}", context=context, timeout=5) as answer:
        return str(answer.read().decode())


def test_engines_of_2016_respond_over_tls(legacy: tuple[LabHost, ...]) -> None:
    for host in legacy:
        assert '"Version":"20.10' in engine(host)


def test_refuses_a_client_without_a_certificate(hosts: tuple[LabHost, ...]) -> None:
    context = ssl.create_default_context(cafile=str(STORE / "tondi/ca.pem"))
    with pytest.raises(OSError, match=r"certificate required|bad certificate"):
        urllib.request.urlopen(f"https://{hosts[1].address}:2376/version", context=context, timeout=5).read()


def test_ssh_works_with_the_client_files(hosts: tuple[LabHost, ...]) -> None:
    for host in hosts:
        with paramiko.SSHClient() as client:
            client.load_host_keys(str(fleet.CLIENT_DIR / "known_hosts"))
            client.connect(
                host.address, username="geschke", key_filename=str(fleet.CLIENT_DIR / "ssh/id_ed25519"), timeout=5
            )
            _, out, _ = client.exec_command("sudo -n id -u; id -nG; hostname")
            words = out.read().decode().split()
        assert words[0] == "0"
        assert "docker" in words
        assert words[-1] == host.name


def test_containers_of_the_classic_swarm_run_on_their_hosts(legacy: tuple[LabHost, ...]) -> None:
    for host in legacy:
        assert container_states(host.name) == LEGACY_CONTAINERS[host.name]  # for the master, see test_lab_killed.py
    assert (
        "deb [trusted=yes] http://198.18.0.1"
        in machine.run_on_host("tondi", "cat", "/etc/apt/sources.list.d/docker.list").stdout
    )


def test_a_restart_fails_with_the_options_on_the_disk_and_a_reset_repairs_it(
    legacy: tuple[LabHost, ...],
) -> None:
    tondi = legacy[1]
    assert "--cluster-store=" in machine.run_on_host("tondi", "cat", DEFAULTS_PATH).stdout
    assert machine.run_on_host("tondi", "systemctl", "restart", "docker").returncode != 0
    with pytest.raises(OSError):  # noqa: PT011
        engine(tondi)
    fleet.reset(["tondi"])
    assert '"Version":"20.10' in engine(tondi)
    assert container_states("tondi") == LEGACY_CONTAINERS["tondi"]


def test_a_reboot_keeps_the_disk(legacy: tuple[LabHost, ...]) -> None:
    machine.run_on_host("connewitz", "touch", "/root/kept")
    before = machine.init_pid("connewitz")
    fleet.reboot(["connewitz"])
    assert machine.init_pid("connewitz") not in (None, before)
    assert machine.run_on_host("connewitz", "ls", "/root/kept").returncode == 0


def test_up_boots_a_host_that_lost_power_and_leaves_the_others(hosts: tuple[LabHost, ...]) -> None:
    others = [machine.init_pid(name) for name in HOST_NAMES if name != "tondi"]
    machine.kill_host("tondi")
    fleet.up(("tondi", *HOST_NAMES))
    assert '"Version":"20.10' in engine(hosts[1])
    assert [machine.init_pid(name) for name in HOST_NAMES if name != "tondi"] == others


def lab(*argv: str) -> "subprocess.Popen[str]":
    words = [sys.executable, "-m", "lab", *argv]
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def test_a_second_demo_does_not_touch_a_running_lab(hosts: tuple[LabHost, ...]) -> None:
    before = [machine.init_pid(name) for name in HOST_NAMES]
    demo = lab("demo", "kaditz", "--port", str(free_port()))
    output, _ = demo.communicate(timeout=60)
    assert demo.returncode == 1
    assert "a lab is running: connewitz (198.18.0.60), lausen (198.18.0.64), tondi (198.18.0.73)." in output
    assert "Stop it first: make fleet-down" in output
    assert [machine.init_pid(name) for name in HOST_NAMES] == before
    assert "kaditz" not in machine.existing_names()


def test_an_interrupted_up_stops_its_hosts_and_leaves_the_others(hosts: tuple[LabHost, ...]) -> None:
    before = [machine.init_pid(name) for name in HOST_NAMES]
    up = lab("fleet", "up", "kaditz")
    deadline = time.monotonic() + 60
    while machine.init_pid("kaditz") is None and time.monotonic() < deadline:
        time.sleep(0.05)
    up.send_signal(signal.SIGHUP)
    output, _ = up.communicate(timeout=60)
    assert up.returncode == 129, output
    assert "kaditz" not in machine.existing_names()
    assert [machine.init_pid(name) for name in HOST_NAMES] == before


def test_down_leaves_nothing_and_reset_works_from_nothing(hosts: tuple[LabHost, ...]) -> None:
    fleet.down()
    assert lab_leftovers() == []
    assert fleet.status() == ()
    limit = limits.INOTIFY_LIMIT.read_text()
    limits.INOTIFY_LIMIT.write_text("200")
    fleet.reset(HOST_NAMES)
    assert limits.INOTIFY_LIMIT.read_text() == "1024\n"
    fleet.down()
    assert limits.INOTIFY_LIMIT.read_text() == "200\n"
    limits.INOTIFY_LIMIT.write_text(limit)
    fleet.reset(HOST_NAMES)
    assert all('"Version":"20.10' in engine(host) for host in hosts)
    assert {host.state for host in fleet.status()} == {"running"}
