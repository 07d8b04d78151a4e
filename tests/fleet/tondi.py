"""The host that faults happen to, and what it has to be afterwards: in the swarm, or as it was."""

from lab.fleet.options import DEFAULTS
from tests.fleet.imkers import on

HOST = "tondi"  # its options stand in the conffile that the new package replaces
MIGRATE = f"/swarm migrate {HOST} --manager"
CONTAINERS = {"web", "batch", "cache"}


def version() -> str:
    return on(HOST, "docker", "version", "--format", "{{.Server.Version}}").strip()


def running() -> set[str]:
    return set(on(HOST, "docker", "ps", "--format", "{{.Names}}").split())


def is_in_the_swarm() -> None:
    assert version().startswith("26.1")
    assert running() >= CONTAINERS
    assert "swarm-agent" not in running()
    assert on(HOST, "docker", "info", "--format", "{{.Swarm.LocalNodeState}}").strip() == "active"
    assert "--tlsverify" in on(HOST, "cat", DEFAULTS)
    assert on(HOST, "sh", "-c", "grep -c ' install docker.io' /var/log/dpkg.log || true").strip() == "1", (
        "the base's own"
    )
    upgrades = on(HOST, "sh", "-c", "grep -c ' upgrade docker.io' /var/log/dpkg.log")
    assert upgrades.strip() == "1", "nothing is run twice"


def is_as_it_was() -> None:
    assert version().startswith("20.10")
    assert running() >= CONTAINERS
    assert "--cluster-store" in on(HOST, "cat", DEFAULTS)
    assert "main" in on(HOST, "cat", "/etc/apt/sources.list.d/docker.list").split()
    assert on(HOST, "dpkg", "--audit") == ""
