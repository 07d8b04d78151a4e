"""Create a swarm on real hosts as other users would, and ask its managers."""

import time
from collections.abc import Sequence

from lab.fleet.hosts import BY_NAME
from tests.e2e.support.deployment import WAIT_TIMEOUT, run_on


def create_swarm(managers: Sequence[str], workers: Sequence[str]) -> None:
    """Let the first manager initialize a swarm, and all others join it."""
    first, *others = managers
    address = BY_NAME[first].address
    run_on(first, "docker", "swarm", "init", "--advertise-addr", address)
    tokens = {
        role: run_on(first, "docker", "swarm", "join-token", "-q", role).strip() for role in ("manager", "worker")
    }
    for name, role in [*((name, "manager") for name in others), *((name, "worker") for name in workers)]:
        own_address = BY_NAME[name].address
        run_on(
            name, "docker", "swarm", "join", "--advertise-addr", own_address, "--token", tokens[role], f"{address}:2377"
        )
    wait_for(lambda: len(nodes(first)) == len(managers) + len(workers))


def nodes(manager: str) -> dict[str, str]:
    """Return each node's status, availability, and manager status, by host name, as `docker node ls` shows them."""
    form = "{{.Hostname}} {{.Status}} {{.Availability}} {{.ManagerStatus}}"
    lines = run_on(manager, "docker", "node", "ls", "--format", form).splitlines()
    return {line.split()[0]: " ".join(line.split()[1:]) for line in lines}


def labels(manager: str, name: str) -> str:
    return run_on(manager, "docker", "node", "inspect", name, "--format", "{{json .Spec.Labels}}").strip()


def engine(name: str) -> str:
    return run_on(name, "docker", "version", "--format", "{{.Server.Version}}").strip()


def task_hosts(manager: str, service: str) -> list[str]:
    """Return the hosts of the running tasks of a service."""
    form = "{{.Node}} {{.CurrentState}}"
    lines = run_on(
        manager, "docker", "service", "ps", service, "--filter", "desired-state=running", "--format", form
    ).splitlines()
    return sorted(line.split()[0] for line in lines if "Running" in line)


def wait_for(true: object) -> None:
    """Wait until the function returns true. Commands fail while an Engine restarts, or without a leader."""
    deadline = time.monotonic() + WAIT_TIMEOUT
    while True:
        try:
            if true():  # type: ignore[operator]
                return
        except AssertionError:
            pass
        assert time.monotonic() < deadline
        time.sleep(0.1)
