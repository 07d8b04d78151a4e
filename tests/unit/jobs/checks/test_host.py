"""Test the checks on a host: level, text, and hint of each finding."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imker.protocol.values import Finding, Level
from jobs.checks.host import check_host
from jobs.facts.containers import Container
from jobs.facts.environment import HostEnvironment
from jobs.facts.host import HostFacts
from jobs.facts.packages import Package
from jobs.inventory.model import Host

NOW, DAY = 1_795_440_000.0, 24 * 3600.0
KADITZ = Host("kaditz", "198.18.0.39", "geschke")
GOOD = HostEnvironment(
    free_bytes=9 * 2**30,
    address_mtus=(("127.0.0.1", 65536), ("198.18.0.39", 1500)),
    routes=("198.18.0.0/24",),
    user_groups=("geschke", "docker"),
    storage_driver="overlay2",
    iptables_backend="nf_tables",
    certificate_expires=NOW + 400 * DAY,
)
DOCKER_IO = Package("docker.io", "20.10.24", "ii")
WEB, BATCH = Container("web", "nginx", True, "always", ("front",)), Container("batch", "job", True, "no")


def checked(
    message: HostEnvironment | None, now: HostFacts | None = None, host: Host = KADITZ, **how: str
) -> dict[str, Finding]:
    facts = replace(now or HostFacts("kaditz", package=DOCKER_IO), environment=message)
    all_findings = check_host(host, facts, how.pop("target", "26.1.5+dfsg1-9"), current_time=NOW, **how)
    assert len({finding.check for finding in all_findings}) == len(all_findings), "each check speaks once"
    return {finding.check: finding for finding in all_findings}


CASES: list[tuple[str, HostEnvironment, Level, str]] = [
    ("clock", replace(GOOD, clock_offset=4.9), "pass", "in sync with Imker"),
    ("clock", replace(GOOD, clock_offset=-12.0), "warn", "a few seconds behind Imker's"),
    ("clock", replace(GOOD, clock_offset=130.0), "warn", "over 2 min ahead of Imker's"),
    ("clock", replace(GOOD, clock_offset=-7300.0), "block", "over 2 h behind Imker's"),
    ("disk", replace(GOOD, free_bytes=None), "pass", "enough free space"),
    ("disk", replace(GOOD, free_bytes=2 * 2**30), "pass", "enough free space"),
    ("disk", replace(GOOD, free_bytes=2 * 2**30 - 1), "warn", "less than 2 GB free"),
    ("disk", replace(GOOD, free_bytes=500 * 2**20 - 1), "block", "less than 500 MB free"),
    ("init system", GOOD, "pass", "systemd"),
    ("init system", replace(GOOD, init_system="init"), "block", "kaditz runs init"),
    ("apt lock", replace(GOOD, apt_lock_holder="apt (process 7)"), "warn", "apt (process 7) holds the dpkg lock"),
    (
        "dpkg", replace(GOOD, broken_packages=("docker.io (iF)", "docker-cli (iU)")), "pass",
        "docker-cli (iU): will be repaired",
    ),
    ("dpkg", replace(GOOD, broken_packages=("toy (iF)", "docker.io (iF)")), "warn", "packages: toy (iF); the upgrade"),
    ("storage driver", replace(GOOD, storage_driver="btrfs"), "pass", "btrfs"),
    ("storage driver", replace(GOOD, storage_driver=""), "pass", "unknown while the Engine is down"),
    ("storage driver", replace(GOOD, storage_driver="aufs"), "block", "Engine 26 has no aufs driver"),
    ("storage driver", replace(GOOD, storage_driver="devicemapper"), "block", "Engine 26 has no devicemapper"),
    ("TLS certificate", replace(GOOD, certificate_expires=NOW + 31 * DAY), "pass", "more than 30 days"),
    ("TLS certificate", replace(GOOD, certificate_expires=NOW + 29 * DAY), "warn", "expires within 30 days"),
    ("TLS certificate", replace(GOOD, certificate_expires=NOW - 1), "block", "has expired"),
    ("address", replace(GOOD, address_mtus=(("198.18.0.40", 1500),)), "block", "no interface of kaditz"),
    ("MTU", replace(GOOD, address_mtus=(("198.18.0.39", 1400),)), "warn", "the MTU is 1400"),
    ("address pool", replace(GOOD, routes=("10.20.0.0/16", "10.9.0.0/24")), "warn", "10.9.0.0/24, which"),
    ("address pool", replace(GOOD, routes=("0.0.0.0/1",)), "warn", "0.0.0.0/1, which overlaps"),
    ("iptables", replace(GOOD, legacy_tables=True), "warn", "iptables-legacy and nf_tables both have rules"),
    ("iptables", replace(GOOD, iptables_backend="legacy", legacy_tables=True), "pass", "legacy"),
    ("docker group", replace(GOOD, user_groups=("geschke",)), "pass", "geschke is not in the docker group"),
]  # fmt: skip


@pytest.mark.parametrize(("check", "value", "level", "words"), CASES)
def test_each_check_has_its_level_and_text(check: str, value: HostEnvironment, level: Level, words: str) -> None:
    matches = checked(value)[check]
    assert matches.level == level
    assert words in matches.text
    if level != "pass":
        assert matches.hint, "what to do is said"


def test_a_healthy_host_passes_all_checks() -> None:
    by_check = checked(GOOD)
    assert {finding.level for finding in by_check.values()} == {"pass"}
    assert set(by_check) == {
        "host key", "SSH", "sudo", "own host", "clock", "disk", "init system", "apt lock", "dpkg", "storage driver",
        "TLS certificate", "restart policies", "classic overlay networks", "address", "MTU", "address pool", "iptables",
        "docker group",
    }  # fmt: skip


def test_returns_no_findings_without_an_inspection() -> None:
    assert checked(None) == {}


def test_ignores_the_dpkg_lock_of_imkers_own_upgrade() -> None:
    with_lock = replace(GOOD, apt_lock_holder="apt-get (process 7)")
    assert (
        checked(with_lock, HostFacts("kaditz", package=DOCKER_IO, upgrade_state="active"))["apt lock"].level == "pass"
    )
    assert (
        checked(with_lock, HostFacts("kaditz", package=DOCKER_IO, upgrade_state="failed"))["apt lock"].level == "warn"
    )


def test_names_containers_without_a_restart_policy() -> None:
    stopped = replace(BATCH, name="once", running=False)
    restart_finding = checked(GOOD, HostFacts("kaditz", containers=(WEB, BATCH, stopped)))["restart policies"]
    assert restart_finding.text == "containers without one: batch; Imker restarts them after the upgrade"


def test_blocks_on_a_container_on_a_classic_overlay_network() -> None:
    found_checks = checked(
        replace(GOOD, overlay_networks=("front", "back")), HostFacts("kaditz", containers=(WEB, BATCH))
    )
    assert found_checks["classic overlay networks"].level == "block"
    assert found_checks["classic overlay networks"].text.startswith("web: on a classic overlay network")


@pytest.mark.parametrize(
    ("target", "oldest"),
    [("24.0.9", ""), ("25.0.1", "1.24."), ("26.1.5", "1.24."), ("29.0.0", "1.44"), ("31.0", "1.44")],
)
def test_names_containers_that_use_the_docker_socket(target: str, oldest: str) -> None:
    proxy = Container("proxy", "acme/proxy:1", True, "always", mounts_docker_socket=True)
    finding = checked(GOOD, HostFacts("kaditz", containers=(WEB, proxy)), target=target).get("API of helpers")
    assert (finding is not None) is bool(oldest)
    if finding:
        assert finding.text.startswith("containers that use the Docker socket: proxy")
        assert f"API versions before {oldest}"[:-1] in finding.text
    assert "API of helpers" not in checked(GOOD, HostFacts("kaditz", containers=(WEB,)), target=target)


@pytest.mark.parametrize(("target", "expected_text"), [("28.5.2", False), ("29.0.0", True)])
def test_mentions_the_lower_limit_of_open_files(target: str, expected_text: bool) -> None:
    assert ("open files" in checked(GOOD, target=target)) is expected_text


def test_accepts_an_old_storage_driver_with_an_older_engine() -> None:
    assert checked(replace(GOOD, storage_driver="devicemapper"), target="24.0.9")["storage driver"].level == "pass"
    assert checked(replace(GOOD, storage_driver="aufs"), target="5:24.0.9-1~debian")["storage driver"].level == "block"


def test_compares_routes_with_the_configured_pool() -> None:
    with_routes = replace(GOOD, routes=("10.20.0.0/16", "172.30.1.0/24"))
    assert "172.30.1.0/24, which overlaps the swarm's address pool 172.30.0.0/16" in (
        checked(with_routes, pool="172.30.0.0/16")["address pool"].text
    )


def test_root_needs_no_docker_group() -> None:
    root = replace(KADITZ, ssh_user="root")
    assert checked(replace(GOOD, user_groups=("root",)), host=root)["docker group"].hint == ""


@given(st.integers(0, 2**40), st.floats(-1e8, 1e8))
def test_texts_contain_no_number_that_changes_over_time(free: int, seconds_left: float) -> None:
    """Approvals are bound to the texts: a second later, or with some bytes less, only the level may change a text."""
    then = replace(GOOD, free_bytes=free, certificate_expires=NOW + seconds_left)
    later = replace(GOOD, free_bytes=max(free - 1, 0), certificate_expires=NOW + seconds_left - 1e-3)
    for check in ("disk", "TLS certificate"):
        before, after = checked(then)[check], checked(later)[check]
        assert before.level != after.level or before == after
