"""Step titles, and every text of every named check. Text per surface."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any, get_args

from jobs import daemon_options, fleet, plan, steps
from jobs.classic import Store
from jobs.contract import Finding, Role
from jobs.daemon_options import FileEdit, OptionFiles, UnitFacts
from jobs.facts import Container, HostFacts, Node, Package, SwarmFacts, SwarmPlace
from jobs.inventory import Host
from jobs.plan import Refusal
from jobs.preflight import checks, ports
from jobs.preflight.conditions import Conditions
from jobs.preflight.ports import PORTS, PortProbe
from jobs.settings import EngineSection
from jobs.steps import describe
from tests.golden.page import page, section
from tests.jobs.preflight.test_checks import BATCH, CASES, DOCKER_IO, GOOD, KADITZ, NOW, WEB
from tests.jobs.test_daemon_options import CASES as HOSTS
from tests.jobs.test_daemon_options import read as host_files
from tests.jobs.world import OWN, manager

EDIT = FileEdit("/etc/docker/daemon.json", "", "{}")
STEPS: tuple[steps.Step, ...] = (
    steps.RetireContainers(("swarm-agent", "swarm-agent-master")),
    steps.StopStore("consul"),
    steps.SwitchSource(EDIT),
    steps.RewriteOptions((EDIT, EDIT)),
    steps.UpgradeEngine(("docker.io=26.1.5", "docker-cli=26.1.5"), "26.1.5"),
    steps.PutOptionsBack("/etc/default/docker", ""),
    steps.RestartEngine("26.1.5", ("web",)),
    steps.StartContainers(("web", "batch")),
    steps.InitSwarm(),
    steps.JoinSwarm(True),
    steps.JoinSwarm(False),
    steps.MarkPending(),
    steps.CheckNode(),
    steps.AddToGroup("geschke"),
    steps.CleanMachine(EDIT),
    steps.RemoveStore("consul"),
    steps.Promote("j8xsy2yb802b"),
    steps.AwaitReachable("j8xsy2yb802b"),
    steps.DrainNode("j8xsy2yb802b"),
    steps.Activate("j8xsy2yb802b"),
    steps.LeaveSwarm("j8xsy2yb802b"),
)


def step_titles() -> str:
    assert {type(step) for step in STEPS} == set(get_args(steps.Step))
    lines = [describe(step) for step in STEPS]
    return page(section("every step", *(f"  {line.title}: {line.detail}".removesuffix(": ") for line in lines)))


# --- findings -------------------------------------------------------------------------------------------------------


def findings() -> str:
    """Every named check, with each text once."""
    found = dict.fromkeys([*_surroundings(), *_options(), *_engines(), *_probed(), *_swarms(), *_fleets()])
    names = dict.fromkeys(finding.check for finding in found)
    return page(*(section(name, *_lines(one for one in found if one.check == name)) for name in names))


def _lines(found: Iterable[Finding]) -> Iterator[str]:
    order = {"pass": 0, "warn": 1, "block": 2}
    for one in sorted(found, key=lambda one: order[one.level]):
        yield f"  {one.level:5}  {one.text}"
        if one.hint:
            yield f"         -> {one.hint}"


def _surroundings() -> Iterator[Finding]:
    facts = HostFacts("kaditz", package=DOCKER_IO)
    driving = replace(facts, containers=(WEB, BATCH, Container("proxy", "traefik:1.7", True, "always", drives=True)))
    root = replace(KADITZ, ssh_user="root")
    for seen in (GOOD, *(seen for _, seen, _, _ in CASES), replace(GOOD, networks=(), expires=None, iptables="")):
        yield from checks.findings(KADITZ, replace(facts, conditions=seen), "26.1.5", clock=NOW)
    for target in ("25.0.1", "26.1.5", "29.0.0"):
        told = replace(driving, conditions=replace(GOOD, overlays=("front",)))
        yield from checks.findings(root, told, target, clock=NOW)


def _options() -> Iterator[Finding]:
    for case in HOSTS:
        files, facts = host_files(case)
        if facts["findings"] and case.name != "clash-of-every-kind":  # the same words for each option
            yield from daemon_options.rewrite(files, str(facts["target"])).findings


UNIT = "/lib/systemd/system/docker.service"
TLS = "-H tcp://0.0.0.0:2376 --tlsverify --tlscacert /c/ca.pem --tlscert /c/server.pem --tlskey /c/server-key.pem"
PACKAGE = Package("docker.io", "20.10.24", "ii", ("26.1.5", "20.10.24"), ("26.1.5",), cli="docker-cli")
ADDRESS = "198.18.0.39"
STORE = Container("consul", "consul", True, "always", (), ("8500->8500/tcp",))
WORKER = Node(OWN, "kaditz", ADDRESS, "worker", "active", "ready", "", "26.1.5", False)
LEADER = replace(manager("connewitz", leader=True), engine="26.1.5")
ONE = SwarmFacts("connewitz", (LEADER,), ("connewitz",))


def host(options: str = TLS, **how: Any) -> HostFacts:
    files = {UNIT: f"[Service]\nExecStart=/usr/bin/dockerd {options}\n", **how.pop("files", {})}
    given = {"package": PACKAGE, "conditions": Conditions(), "engine": "20.10.24", **how}
    drop_ins = tuple(path for path in files if path.endswith(".conf"))
    return HostFacts("kaditz", options=OptionFiles(UnitFacts(UNIT, drop_ins, ()), files), **given)


def planned(
    now: HostFacts, swarm: SwarmFacts = ONE, role: Role = "worker", version: str | None = None, **how: Any
) -> plan.Plan | Refusal:
    return plan.migration(KADITZ, now, swarm, role, EngineSection(version=version), **how)


def _found(*made: plan.Plan | Refusal) -> Iterator[Finding]:
    for one in made:
        assert isinstance(one, plan.Plan), one
        yield from one.findings


def _engines() -> Iterator[Finding]:
    older = replace(PACKAGE, installed="27.5.1", older=("26.1.5",), candidates=("26.1.5",))
    drop_ins = {
        f"/etc/systemd/system/docker.service.d/{name}.conf": f"[Service]\nExecStart=\nExecStart=/x {TLS}\n"
        for name in ("10-machine", "20-ours")
    }
    default = {"/etc/default/docker": 'OPTIONS="--debug"\nDOCKER_OPTS=--debug\n'}
    yield from _found(
        planned(host(TLS)),
        planned(host("-H fd://")),
        planned(host(api=False)),
        planned(host(api=False, stale=True)),
        planned(host(api=False, engine="1.11.2")),
        planned(host(f"{TLS} --live-restore")),
        planned(host(conditions=Conditions(unread=("/c/server-key.pem",)))),
        planned(host(package=older), version="26.1*"),
        planned(host(package=replace(PACKAGE, installed="26.1.5"))),
        planned(host(files=drop_ins)),
        planned(host(files=default)),
        planned(host(begun="k3fm9x2q")),
        planned(host(), store=Store(STORE, ("tondi",))),
        planned(host(), store=Store(STORE)),
        planned(host(conditions=Conditions(store_peers=("198.18.0.99",))), store=Store(STORE)),
        planned(host(), store=Store(replace(STORE, running=False, restart="no"))),
    )


def _probed() -> Iterator[Finding]:
    every = [PortProbe("kaditz", "tondi", kind, port, True) for kind, port in PORTS]
    yield from ports.findings(())
    yield from ports.findings(every)
    yield from ports.findings([replace(probe, reached=False) for probe in every])
    yield from ports.findings([PortProbe("kaditz", "tondi", untried="tondi does not answer over SSH")])


def _swarms() -> Iterator[Finding]:
    own = replace(WORKER, role="manager", manager="reachable")
    inside = host(place=SwarmPlace("active", OWN, True))
    tondi, lausen = (replace(manager(name), engine="26.1.5") for name in ("tondi", "lausen"))
    away = replace(lausen, manager="unreachable")

    def among(*nodes: Node, **how: Any) -> SwarmFacts:
        return SwarmFacts("connewitz", nodes, ("connewitz",), **how)

    old = replace(WORKER, id="old-node-of-kaditz", state="down")
    yield from _found(
        planned(host(), SwarmFacts(), "manager"),
        planned(host(), SwarmFacts(silent=("tondi", "lausen")), "manager"),
        planned(host(), among(LEADER)),
        planned(host(), among(LEADER), "manager"),
        planned(host(), among(LEADER, tondi)),
        planned(host(), among(LEADER, old)),
        planned(host(), among(LEADER, replace(old, role="manager"))),
        planned(host(), among(replace(LEADER, engine="24.0.9"))),
        planned(host(), among(LEADER, autolock=True)),
        planned(inside, among(LEADER, own, autolock=True), "manager"),
        planned(inside, among(own), "manager"),
        planned(inside, among(LEADER, own), "manager"),
        planned(inside, among(LEADER, own, tondi), "manager"),
        planned(inside, among(LEADER, own, away), "manager"),
    )


def _fleets() -> Iterator[Finding]:
    hosts = [Host(name, server="server-1") for name in ("connewitz", "tondi")]
    roles: dict[str, Role] = {host.name: "manager" for host in hosts}
    made = {
        name: plan.Plan((steps.CheckNode(),), target=target) for name, target in (("connewitz", "26"), ("tondi", "27"))
    }
    yield from fleet.arrange(hosts, roles, made, SwarmFacts(), frozenset(), 1).findings
