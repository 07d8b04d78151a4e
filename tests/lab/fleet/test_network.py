"""The lab's bridge next to Docker, whose FORWARD policy is DROP, in a separate network namespace."""

import os
import platform
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.fleet import base_image

pytestmark = [
    pytest.mark.processes,
    pytest.mark.skipif(
        platform.system() != "Linux" or os.geteuid() != 0,
        reason="network namespaces need Linux and root: sudo make test",
    ),
]
ROOT = Path(__file__).parents[3]
MACHINE = f"imker-t{os.getpid()}"
HOSTS = {f"{MACHINE}-a": "198.18.0.60", f"{MACHINE}-b": "198.18.0.73"}
BRIDGE_CALLS = Path("/proc/sys/net/bridge/bridge-nf-call-iptables")


def run(*argv: str, check: bool = True) -> str:
    completed = subprocess.run(argv, capture_output=True, text=True, check=False, cwd=ROOT)
    assert completed.returncode == 0 or not check, completed.stderr
    return completed.stdout + completed.stderr


def on(namespace: str, *argv: str, check: bool = True) -> str:
    return run("ip", "netns", "exec", namespace, *argv, check=check)


def lab(call: str, check: bool = True) -> str:
    """Run a call of lab.fleet.network on the machine."""
    return on(MACHINE, sys.executable, "-c", f"from lab.fleet import network; network.{call}", check=check)


def connect() -> bool:
    """Return whether one host reaches the other."""
    first, second = HOSTS
    call = f"import socket; socket.create_connection(('{HOSTS[second]}', 2377), 1)"
    deadline = time.monotonic() + 5
    while "refused" in (output := on(first, sys.executable, "-c", call, check=False)) and time.monotonic() < deadline:
        time.sleep(0.1)  # the other host's server is still starting
    assert not output or "timed out" in output, output
    return not output


@pytest.fixture
def machine() -> Iterator[None]:
    """Start a machine with Docker's firewall and two hosts without a cable."""
    base_image.install_tools(print)
    for namespace in (MACHINE, *HOSTS):
        run("ip", "netns", "add", namespace)
    server = None
    try:
        on(MACHINE, "sh", "-c", f"echo 1 > {BRIDGE_CALLS}")
        for rule in ("-P FORWARD DROP", "-N DOCKER-USER", "-A FORWARD -j DOCKER-USER", "-A DOCKER-USER -j RETURN"):
            on(MACHINE, "iptables", *rule.split())
        second = list(HOSTS)[1]
        serve = (sys.executable, "-m", "http.server", "2377", "--directory", "/var/empty")
        server = subprocess.Popen(["ip", "netns", "exec", second, *serve], stderr=subprocess.DEVNULL)
        yield
    finally:
        if server:
            server.kill()
            server.wait()
        for namespace in (MACHINE, *HOSTS):
            run("ip", "netns", "del", namespace)


def plug_in() -> None:
    """Connect the hosts to the lab's bridge, as systemd-nspawn does."""
    for number, (host, address) in enumerate(HOSTS.items()):
        link = f"vb-{number}"
        on(MACHINE, *f"ip link add {link} type veth peer name host0 netns {host}".split())
        on(MACHINE, *f"ip link set {link} master imker0 up".split())
        on(host, *f"ip addr add {address}/24 dev host0".split())
        on(host, *["ip", "link", "set", "host0", "up"])


def test_hosts_reach_each_other_on_a_machine_that_runs_docker(machine: None) -> None:
    before = on(MACHINE, "iptables", "-S")
    lab("create_network()")
    lab("create_network()")
    plug_in()
    assert connect()
    on(MACHINE, "iptables", "-D", "FORWARD", "1")
    assert not connect(), "without the rule the policy of FORWARD applies, and two calls insert one rule"
    lab("create_network()")
    assert connect()
    lab("remove_network()")
    assert on(MACHINE, "iptables", "-S") == before
    assert "imker0" not in on(MACHINE, "ip", "link")


@pytest.mark.parametrize(
    ("used", "named"),
    [
        ("ip addr add 198.18.0.5/32 dev lo", "198.18.0.5 dev lo"),
        ("ip route add 198.18.0.0/15 dev lo", "198.18.0.0/15 dev lo"),
        ("ip route add 198.0.0.0/8 dev lo table 100", "198.0.0.0/8 dev lo"),
    ],
)
def test_reports_an_address_range_in_use(machine: None, used: str, named: str) -> None:
    on(MACHINE, *["ip", "link", "set", "lo", "up"])
    on(MACHINE, *used.split())
    assert f"198.18.0.0/24 is in use on this machine: {named}" in lab("expect_free()", check=False)


def test_ignores_default_routes_and_the_own_bridge(machine: None) -> None:
    on(MACHINE, *["ip", "link", "set", "lo", "up"])
    for route in ("default", "128.0.0.0/1"):
        on(MACHINE, "ip", "route", "add", route, "dev", "lo")
    lab("expect_free()")
    lab("create_network()")
    lab("expect_free()")


def test_reports_a_port_in_use(machine: None) -> None:
    argv = ["ip", "netns", "exec", MACHINE, sys.executable, "-m", "http.server", "8800", "--directory", "/var/empty"]
    with subprocess.Popen(argv, stderr=subprocess.DEVNULL) as other:
        deadline = time.monotonic() + 10
        while ":8800" not in on(MACHINE, "ss", "-ltn") and time.monotonic() < deadline:
            time.sleep(0.05)
        output = lab("expect_free()", check=False)
        other.kill()
    assert "port 8800 is in use on this machine" in output
    lab("expect_free()")
