"""The host that faults are injected into, and its expected states: migrated, or unchanged."""

from lab.fleet.daemon_option_files import DEFAULTS_PATH
from tests.e2e.support.deployment import run_on

HOST = "tondi"  # its options are in the conffile that the new package replaces
MIGRATE = f"/swarm migrate {HOST} --manager"
CONTAINERS = {"web", "batch", "cache"}


def engine_version() -> str:
    return run_on(HOST, "docker", "version", "--format", "{{.Server.Version}}").strip()


def running_containers() -> set[str]:
    return set(run_on(HOST, "docker", "ps", "--format", "{{.Names}}").split())


def assert_migrated() -> None:
    assert engine_version().startswith("26.1")
    assert running_containers() >= CONTAINERS
    assert "swarm-agent" not in running_containers()
    assert run_on(HOST, "docker", "info", "--format", "{{.Swarm.LocalNodeState}}").strip() == "active"
    assert "--tlsverify" in run_on(HOST, "cat", DEFAULTS_PATH)
    assert run_on(HOST, "sh", "-c", "grep -c ' install docker.io' /var/log/dpkg.log || true").strip() == "1", (
        "the base's own"
    )
    upgrades = run_on(HOST, "sh", "-c", "grep -c ' upgrade docker.io' /var/log/dpkg.log")
    assert upgrades.strip() == "1", "nothing is run twice"


def assert_unchanged() -> None:
    assert engine_version().startswith("20.10")
    assert running_containers() >= CONTAINERS
    assert "--cluster-store" in run_on(HOST, "cat", DEFAULTS_PATH)
    assert "main" in run_on(HOST, "cat", "/etc/apt/sources.list.d/docker.list").split()
    assert run_on(HOST, "dpkg", "--audit") == ""
