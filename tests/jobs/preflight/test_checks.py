"""The named checks: what passes, what warns, what blocks, in which words, and what to do then."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.contract import Finding, Level
from jobs.facts import Container, HostFacts, Package
from jobs.inventory import Host
from jobs.preflight.checks import findings
from jobs.preflight.conditions import Conditions

NOW, DAY = 1_795_440_000.0, 24 * 3600.0
KADITZ = Host("kaditz", "198.18.0.39", "geschke")
GOOD = Conditions(
    free=9 * 2**30,
    networks=(("127.0.0.1", 65536), ("198.18.0.39", 1500)),
    routes=("198.18.0.0/24",),
    groups=("geschke", "docker"),
    driver="overlay2",
    iptables="nf_tables",
    expires=NOW + 400 * DAY,
)
DOCKER_IO = Package("docker.io", "20.10.24", "ii")
WEB, BATCH = Container("web", "nginx", True, "always", ("front",)), Container("batch", "job", True, "no")


def checked(
    seen: Conditions | None, now: HostFacts | None = None, host: Host = KADITZ, **how: str
) -> dict[str, Finding]:
    facts = replace(now or HostFacts("kaditz", package=DOCKER_IO), conditions=seen)
    told = findings(host, facts, how.pop("target", "26.1.5+dfsg1-9"), clock=NOW, **how)
    assert len({finding.check for finding in told}) == len(told), "each check speaks once"
    return {finding.check: finding for finding in told}


CASES: list[tuple[str, Conditions, Level, str]] = [
    ("clock", replace(GOOD, offset=4.9), "pass", "agrees with ours"),
    ("clock", replace(GOOD, offset=-12.0), "warn", "some seconds behind ours"),
    ("clock", replace(GOOD, offset=130.0), "warn", "over 2 min ahead of ours"),
    ("clock", replace(GOOD, offset=-7300.0), "block", "over 2 h behind ours"),
    ("disk", replace(GOOD, free=None), "pass", "room enough"),
    ("disk", replace(GOOD, free=2 * 2**30), "pass", "room enough"),
    ("disk", replace(GOOD, free=2 * 2**30 - 1), "warn", "less than 2 GB left"),
    ("disk", replace(GOOD, free=500 * 2**20 - 1), "block", "less than 500 MB left"),
    ("init system", GOOD, "pass", "systemd"),
    ("init system", replace(GOOD, init="init"), "block", "kaditz is run by init"),
    ("apt lock", replace(GOOD, locked_by="apt (process 7)"), "warn", "apt (process 7) holds dpkg's lock"),
    ("dpkg", replace(GOOD, broken=("docker.io (iF)", "docker-cli (iU)")), "pass", "docker-cli (iU): will be mended"),
    ("dpkg", replace(GOOD, broken=("toy (iF)", "docker.io (iF)")), "warn", "not finished: toy (iF); it would"),
    ("storage driver", replace(GOOD, driver="btrfs"), "pass", "btrfs"),
    ("storage driver", replace(GOOD, driver=""), "pass", "not known while the Engine is down"),
    ("storage driver", replace(GOOD, driver="aufs"), "block", "uses aufs, which Engine 26 does not have"),
    ("storage driver", replace(GOOD, driver="devicemapper"), "block", "uses devicemapper, which Engine 26"),
    ("TLS certificate", replace(GOOD, expires=NOW + 31 * DAY), "pass", "more than 30 days"),
    ("TLS certificate", replace(GOOD, expires=NOW + 29 * DAY), "warn", "ends within 30 days"),
    ("TLS certificate", replace(GOOD, expires=NOW - 1), "block", "has ended"),
    ("address", replace(GOOD, networks=(("198.18.0.40", 1500),)), "block", "198.18.0.39 is on none of kaditz's"),
    ("MTU", replace(GOOD, networks=(("198.18.0.39", 1400),)), "warn", "the link's MTU is 1400"),
    ("address pool", replace(GOOD, routes=("10.20.0.0/16", "10.9.0.0/24")), "warn", "10.20.0.0/16, 10.9.0.0/24, in"),
    ("address pool", replace(GOOD, routes=("0.0.0.0/1",)), "warn", "0.0.0.0/1, inside"),
    ("iptables", replace(GOOD, legacy_tables=True), "warn", "both iptables-legacy and nf_tables"),
    ("iptables", replace(GOOD, iptables="legacy", legacy_tables=True), "pass", "legacy"),
    ("docker group", replace(GOOD, groups=("geschke",)), "pass", "geschke is not in the group docker"),
]  # fmt: skip


@pytest.mark.parametrize(("check", "seen", "level", "words"), CASES)
def test_a_check_and_its_level(check: str, seen: Conditions, level: Level, words: str) -> None:
    found = checked(seen)[check]
    assert found.level == level
    assert words in found.text
    if level != "pass":
        assert found.hint, "what to do is said"


def test_a_host_without_fault_passes_everything() -> None:
    told = checked(GOOD)
    assert {finding.level for finding in told.values()} == {"pass"}
    assert set(told) == {
        "host key", "SSH", "sudo", "clock", "disk", "init system", "apt lock", "dpkg", "storage driver",
        "TLS certificate", "restart policies", "classic overlay networks", "address", "MTU", "address pool", "iptables",
        "docker group",
    }  # fmt: skip


def test_without_a_look_nothing_is_claimed() -> None:
    assert checked(None) == {}


def test_an_upgrade_of_ours_holds_the_lock_and_that_is_no_news() -> None:
    held = replace(GOOD, locked_by="apt-get (process 7)")
    assert checked(held, HostFacts("kaditz", package=DOCKER_IO, upgrade="active"))["apt lock"].level == "pass"
    assert checked(held, HostFacts("kaditz", package=DOCKER_IO, upgrade="failed"))["apt lock"].level == "warn"


def test_containers_without_a_policy_are_named_and_started_again() -> None:
    stopped = replace(BATCH, name="once", running=False)
    said = checked(GOOD, HostFacts("kaditz", containers=(WEB, BATCH, stopped)))["restart policies"]
    assert said.text == "batch: none; Imker starts them again"


def test_a_container_on_the_old_stores_overlay_network_blocks() -> None:
    told = checked(replace(GOOD, overlays=("front", "back")), HostFacts("kaditz", containers=(WEB, BATCH)))
    assert told["classic overlay networks"].level == "block"
    assert told["classic overlay networks"].text.startswith("web: on an overlay network of the classic store")


@pytest.mark.parametrize(
    ("target", "oldest"),
    [("24.0.9", ""), ("25.0.1", "1.24."), ("26.1.5", "1.24."), ("29.0.0", "1.44"), ("31.0", "1.44")],
)
def test_who_drives_the_engine_hears_what_it_no_longer_speaks(target: str, oldest: str) -> None:
    proxy = Container("proxy", "traefik:1.7", True, "always", drives=True)
    told = checked(GOOD, HostFacts("kaditz", containers=(WEB, proxy)), target=target).get("API of helpers")
    assert (told is not None) is bool(oldest)
    if told:
        assert told.text.startswith("proxy: drive the Engine through its socket")
        assert f"no API before {oldest}"[:-1] in told.text
    assert "API of helpers" not in checked(GOOD, HostFacts("kaditz", containers=(WEB,)), target=target)


@pytest.mark.parametrize(("target", "told"), [("28.5.2", False), ("29.0.0", True)])
def test_fewer_open_files_are_told(target: str, told: bool) -> None:
    assert ("open files" in checked(GOOD, target=target)) is told


def test_an_older_engine_may_keep_its_driver() -> None:
    assert checked(replace(GOOD, driver="devicemapper"), target="24.0.9")["storage driver"].level == "pass"
    assert checked(replace(GOOD, driver="aufs"), target="5:24.0.9-1~debian")["storage driver"].level == "block"


def test_another_pool_than_the_usual_one_is_what_routes_are_held_against() -> None:
    seen = replace(GOOD, routes=("10.20.0.0/16", "172.30.1.0/24"))
    assert "172.30.1.0/24, inside the swarm's address pool 172.30.0.0/16" in (
        checked(seen, pool="172.30.0.0/16")["address pool"].text
    )


def test_root_needs_no_group() -> None:
    root = replace(KADITZ, ssh_user="root")
    assert checked(replace(GOOD, groups=("root",)), host=root)["docker group"].hint == ""


@given(st.integers(0, 2**40), st.floats(-1e8, 1e8))
def test_nothing_that_grows_while_somebody_reads_is_in_the_words(free: int, left: float) -> None:
    """A person's yes is bound to them: a second later, or some bytes less, they are the same, or another level."""
    then = replace(GOOD, free=free, expires=NOW + left)
    later = replace(GOOD, free=max(free - 1, 0), expires=NOW + left - 1e-3)
    for check in ("disk", "TLS certificate"):
        before, after = checked(then)[check], checked(later)[check]
        assert before.level != after.level or before == after
