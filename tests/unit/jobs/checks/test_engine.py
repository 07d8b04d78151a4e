"""Test the checks on the Engine: its version, its options, and its API."""

from dataclasses import replace

import pytest

from imker.protocol.values import Finding, Level
from jobs.daemon_options import OptionFiles, UnitFacts
from jobs.facts.environment import HostEnvironment
from jobs.facts.host import HostFacts
from jobs.facts.packages import Package
from jobs.facts.swarm import SwarmMembership
from jobs.inventory.model import Host
from jobs.plan import Plan, Refusal
from jobs.plan.engine import plan_engine
from jobs.settings import EngineSection
from jobs.steps import UpgradeEngine

KADITZ = Host("kaditz", "198.18.0.39", "geschke")
UNIT = "/lib/systemd/system/docker.service"
TLS = "--tlsverify --tlscacert /etc/docker/ca.pem --tlscert /etc/docker/server.pem --tlskey /etc/docker/server-key.pem"
TCP = f"-H tcp://0.0.0.0:2376 -H unix:///var/run/docker.sock {TLS}"
NEW, OLD = "26.1.5", "20.10.24"
DOCKER_IO = Package("docker.io", OLD, "ii", (NEW, OLD), (NEW,), cli_package="docker-cli")


def host(
    options: str = TCP, package: Package = DOCKER_IO, message: HostEnvironment | None = None, **how: object
) -> HostFacts:
    files = {UNIT: f"[Service]\nExecStart=/usr/bin/dockerd {options}\n"}
    facts = HostFacts("kaditz", OLD, package=package, options=OptionFiles(UnitFacts(UNIT, (), ()), files))
    return replace(facts, environment=message or HostEnvironment(), **how)  # type: ignore[arg-type]


def plan_host(now: HostFacts, version: str | None = None, at: Host = KADITZ) -> Plan:
    assert now.package is not None
    plan = plan_engine(at, now, now.package, EngineSection(version=version), ())
    assert isinstance(plan, Plan)
    return plan


def find_finding(plan: Plan, check: str) -> Finding:
    (finding,) = (finding for finding in plan.findings if finding.check == check)
    return finding


API: list[tuple[HostFacts, Level, str]] = [
    (host(), "pass", "answers over TLS"),
    (host("-H unix:///var/run/docker.sock"), "block", "opens no TCP port with TLS"),
    (host("-H unix:///var/run/docker.sock", api_reachable=False), "block", "opens no TCP port with TLS"),
    (host(f"-H fd:// {TLS}"), "block", "opens no TCP port"),
    (host(f"-H fd:// {TLS}", message=HostEnvironment(has_tcp_socket=True)), "pass", "answers over TLS"),
    (host("-H tcp://0.0.0.0:2376 -H fd://"), "block", "no TCP port with TLS"),
    (host("-H tcp://0.0.0.0:2376 --tlsverify=false"), "block", "no TCP port with TLS"),
    (host("-H tcp://0.0.0.0:2376 --tls"), "pass", "answers over TLS"),
    (
        host(message=HostEnvironment(unreadable_files=("/etc/docker/server-key.pem",))),
        "block",
        "/etc/docker/server-key.pem cannot be",
    ),
    (host(api_reachable=False), "warn", "is unreachable over TLS"),
    (host(api_reachable=False, engine_version=""), "warn", "is unreachable over TLS"),
    (host(api_reachable=False, engine_version="1.11.2"), "pass", "Engine 1.11.2 is read with the docker command"),
    (host(api_reachable=False, options_changed=True), "pass", "expected to answer after"),
    (host(api_reachable=False, engine_version="", previously_running=("web",)), "pass", "expected to answer after"),
]


@pytest.mark.parametrize(("now", "level", "says"), API)
def test_blocks_if_the_restart_could_not_be_verified(now: HostFacts, level: Level, says: str) -> None:
    finding = find_finding(plan_host(now), "Engine API")
    assert (finding.level, says in finding.text) == (level, True), finding
    assert bool(finding.hint) is (level != "pass")


OVER_SSH: list[tuple[HostFacts, Level, str]] = [
    (host(""), "pass", "answers over SSH"),
    (host(), "pass", "answers over SSH"),
    (host("-H fd://"), "pass", "answers over SSH"),
    (host("-H unix:///run/docker.sock"), "pass", "answers over SSH"),
    (host("-H unix://"), "pass", "answers over SSH"),
    (host("-H unix:///srv/docker.sock"), "block", "opens no socket at /var/run/docker.sock"),
    (host("-H tcp://127.0.0.1:2375"), "block", "opens no socket at /var/run/docker.sock"),
    (
        host(message=HostEnvironment(unreadable_files=("/etc/docker/server-key.pem",))),
        "block",
        "/etc/docker/server-key.pem cannot be",
    ),
    (host("", api_reachable=False), "warn", "is unreachable over SSH"),
    (host("", api_reachable=False, engine_version="17.03.2-ce"), "pass", "Engine 17.03.2 is read with the docker"),
    (host("", api_reachable=False, options_changed=True), "pass", "expected to answer after"),
]


@pytest.mark.parametrize(("now", "level", "says"), OVER_SSH)
def test_an_engine_over_ssh_needs_its_socket_and_no_tcp_port(now: HostFacts, level: Level, says: str) -> None:
    finding = find_finding(plan_host(now, at=replace(KADITZ, engine_over="ssh")), "Engine API")
    assert (finding.level, says in finding.text) == (level, True), finding
    assert bool(finding.hint) is (level != "pass")


def test_counts_options_that_will_be_restored() -> None:
    """A job was killed after the upgrade: the file is the maintainer's, and the backup has the options."""
    default = "/etc/default/docker"
    files = {UNIT: "[Service]\nExecStart=/usr/bin/dockerd $DOCKER_OPTS\n", default: "#DOCKER_OPTS=\n"}
    saved = {default: f'DOCKER_OPTS="{TCP}"\n'}
    options = OptionFiles(UnitFacts(UNIT, (), (f"-{default}",)), files, (), saved)
    assert find_finding(plan_host(host(options="")), "Engine API").level == "block"
    assert find_finding(plan_host(replace(host(), options=options)), "Engine API").level == "pass"


DOCKER_CE = Package("docker-ce", OLD, "ii", (NEW,), (NEW,), cli_package="docker-ce-cli", replaces="docker.io")
PACKAGED = "[Service]\nEnvironmentFile=-/etc/default/docker\nExecStart=/usr/bin/dockerd -H fd:// $DOCKER_OPTS\n"
OPTS = {"/etc/default/docker": f'DOCKER_OPTS="{TCP}"\n'}
OWN_UNIT = "/etc/systemd/system/docker.service"
OVERRIDE, OVERRIDING = (
    f"{OWN_UNIT}.d/10-machine.conf",
    "[Service]\nExecStart=\nExecStart=/usr/bin/dockerd $DOCKER_OPTS\n",
)


@pytest.mark.parametrize(
    ("package", "fragment", "drop_ins", "files", "blocks"),
    [
        (DOCKER_CE, UNIT, (), {UNIT: PACKAGED, **OPTS}, True),
        (DOCKER_CE, "/usr" + UNIT, (), {"/usr" + UNIT: PACKAGED, **OPTS}, True),
        (replace(DOCKER_CE, replaces=""), UNIT, (), {UNIT: PACKAGED, **OPTS}, False),
        (DOCKER_IO, UNIT, (), {UNIT: PACKAGED, **OPTS}, False),
        (DOCKER_CE, UNIT, (), {UNIT: PACKAGED}, False),
        (DOCKER_CE, OWN_UNIT, (), {OWN_UNIT: PACKAGED, **OPTS}, False),
        (DOCKER_CE, UNIT, (OVERRIDE,), {UNIT: PACKAGED, OVERRIDE: OVERRIDING, **OPTS}, False),
    ],
)  # fmt: skip
def test_blocks_a_package_whose_unit_does_not_read_the_options(
    package: Package, fragment: str, drop_ins: tuple[str, ...], files: dict[str, str], blocks: bool
) -> None:
    options = OptionFiles(UnitFacts(fragment, drop_ins, ("-/etc/default/docker",)), files)
    plan = plan_host(replace(host(package=package), options=options))
    findings = [finding for finding in plan.findings if finding.check == "options without a reader"]
    (finding,) = findings
    assert (finding.level == "block") is blocks, finding
    assert ("the unit of docker-ce does not read /etc/default/docker" in finding.text) is blocks
    assert ("tlsverify" in finding.text) is blocks


@pytest.mark.parametrize(
    ("package", "manages", "level"),
    [
        (replace(DOCKER_CE, replaces=""), False, "pass"),
        (replace(DOCKER_CE, replaces=""), True, "warn"),
        (DOCKER_CE, True, "warn"),
        (replace(DOCKER_CE, replaces="", installed=NEW), True, ""),
        (DOCKER_IO, True, ""),
    ],
)
def test_says_that_a_package_restarts_the_engine_itself(package: Package, manages: bool, level: str) -> None:
    membership = SwarmMembership("active", "n1", is_manager=manages)
    plan = plan_host(replace(host(package=package), membership=membership))
    levels = [finding.level for finding in plan.findings if finding.check == "restart by the package"]
    assert levels == ([level] if level else [])


DROP_INS = tuple(f"/etc/systemd/system/docker.service.d/{name}.conf" for name in ("10-machine", "20-ours"))
STARTS = "[Service]\nExecStart=\nExecStart=/usr/bin/dockerd "
ENVIRONMENT = "[Service]\nEnvironmentFile=-/etc/default/docker\nExecStart=/usr/bin/dockerd "


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({UNIT: ENVIRONMENT + f"{TCP}\n", "/etc/default/docker": 'OPTIONS="--debug"\n'}, ["sets OPTIONS, which"]),
        ({UNIT: ENVIRONMENT + f"{TCP} $OPTIONS\n", "/etc/default/docker": 'OPTIONS="--debug"\n'}, []),
        ({UNIT: ENVIRONMENT + f"{TCP}\n", "/etc/default/docker": "DOCKER_OPTS=--debug\n"}, ["sets DOCKER_OPTS, which"]),
        ({UNIT: ENVIRONMENT + f"{TCP}\n", "/etc/default/docker": "http_proxy=http://10.0.0.1\n"}, []),
        ({UNIT: "[Service]\nExecStart=/x -H fd://\n", DROP_INS[0]: STARTS + TCP, DROP_INS[1]: STARTS + TCP}, ["10-m"]),
        ({UNIT: "[Service]\nExecStart=/x -H fd://\n", DROP_INS[0]: STARTS + TCP}, []),
        ({UNIT: STARTS + TCP, DROP_INS[1]: "[Service]\nLimitNOFILE=9\n"}, []),
    ],
)
def test_shows_unused_options_with_their_file(files: dict[str, str], says: list[str]) -> None:
    unit = UnitFacts(UNIT, tuple(path for path in DROP_INS if path in files), ("-/etc/default/docker",))
    findings = plan_host(replace(host(), options=OptionFiles(unit, files))).findings
    unreadable = [finding for finding in findings if finding.check == "options without a reader"]
    assert [(item.level, word in item.text) for item, word in zip(unreadable, says or ["none"], strict=True)] == [
        ("pass", True)
    ]
    assert all(finding.hint for finding in unreadable) is bool(says), "what has a hint is shown"


def test_explains_the_removal_of_live_restore() -> None:
    finding = find_finding(plan_host(host(f"{TCP} --live-restore")), "live-restore")
    assert (finding.level, finding.hint) == ("pass", "Drain the node before you restart its Engine.")
    assert "containers stop with the Engine" in finding.text
    assert not find_finding(plan_host(host()), "live-restore").hint


VERSIONS: list[tuple[str, tuple[str, ...], tuple[str, ...], str | None, str, Level]] = [
    # installed, candidates, downgrades, configured version, target version, level
    ("20.10.24", ("26.1.5", "20.10.24"), (), None, "26.1.5", "pass"),
    ("26.1.5", ("26.1.5", "20.10.24"), ("20.10.24",), None, "26.1.5", "pass"),
    ("27.5.1", ("26.1.5",), ("26.1.5",), None, "27.5.1", "pass"),
    ("27.5.1", ("26.1.5",), ("26.1.5",), "26.1*", "26.1.5", "block"),
    ("27.5.1", ("28.0.1", "26.1.5"), ("26.1.5",), "27*", "27.5.1", "pass"),
    ("20.10.24", ("27.5.1", "26.1.5", "19.03.1"), ("19.03.1",), "26.1*", "26.1.5", "pass"),
    ("26.1.5-9+b8", ("26.1.5-9",), ("26.1.5-9",), "26.1*", "26.1.5-9+b8", "pass"),
]


@pytest.mark.parametrize(("installed", "candidates", "older", "expected", "target", "level"), VERSIONS)
def test_downgrades_only_if_configured(
    installed: str, candidates: tuple[str, ...], older: tuple[str, ...], expected: str | None, target: str, level: Level
) -> None:
    package = Package("docker.io", installed, "ii", candidates, downgrades=older)
    plan = plan_host(host(package=package), expected)
    assert (plan.target_version, find_finding(plan, "candidate version").level) == (target, level)
    assert any(isinstance(step, UpgradeEngine) for step in plan.steps) is (target != installed)


def test_refuses_a_version_that_apt_does_not_offer() -> None:
    refused = plan_engine(KADITZ, host(), DOCKER_IO, EngineSection(version="99*"), ())
    assert isinstance(refused, Refusal)
    assert (refused.finding.check, refused.finding.level) == ("candidate version", "block")
    assert "99*" in refused.finding.text


CE = "5:27.3.1-1~debian.12~bookworm"


@pytest.mark.parametrize(
    ("package", "packages", "old"),
    [
        (DOCKER_IO, ("docker.io=26.1.5", "docker-cli=26.1.5"), "docker.io=20.10.24"),
        (replace(DOCKER_IO, cli_candidates=("20.10.24",)), ("docker.io=26.1.5",), "docker.io=20.10.24"),
        (
            Package("docker-ce", "5:19.03.15", "ii", (CE,), (CE, "5:26.1.0"), cli_package="docker-ce-cli"),
            (f"docker-ce={CE}", f"docker-ce-cli={CE}"), "docker-ce=5:19.03.15",
        ),
        (
            Package("docker-ce", "17.05.0", "ii", (CE,), (CE,), cli_package="docker-ce-cli", replaces="docker-engine"),
            (f"docker-ce={CE}", f"docker-ce-cli={CE}"), "docker-engine=17.05.0",
        ),
        (
            Package("docker-ce", "27.3.1", "ii", ("27.3.1",), (), replaces="docker.io"),
            ("docker-ce=27.3.1",), "docker.io=27.3.1",
        ),
        (
            replace(DOCKER_IO, cli_installed="20.10.23"),
            ("docker.io=26.1.5", "docker-cli=26.1.5"), "docker.io=20.10.24 docker-cli=20.10.23",
        ),
    ],
)  # fmt: skip
def test_upgrades_the_cli_and_replaces_a_renamed_package(package: Package, packages: tuple[str, ...], old: str) -> None:
    steps = plan_host(host(package=package)).steps
    (upgrade,) = (step for step in steps if isinstance(step, UpgradeEngine))
    assert upgrade.packages == packages
    assert upgrade.old_packages == tuple(old.split())
