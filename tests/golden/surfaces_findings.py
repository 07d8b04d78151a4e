"""Format the step titles and every text of every named check."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any, get_args

from bot.messages.next_command import next_step_text
from imker.protocol.commands import Role
from imker.protocol.values import Finding
from jobs import daemon_options, plan, steps
from jobs.checks import ports
from jobs.checks.host import check_host
from jobs.daemon_options import FileEdit, OptionFiles, UnitFacts
from jobs.facts.classic_swarm import KeyValueStore
from jobs.facts.containers import Container
from jobs.facts.environment import HostEnvironment
from jobs.facts.host import HostFacts
from jobs.facts.packages import Package
from jobs.facts.ports import SWARM_PORTS, PortProbe
from jobs.facts.swarm import Node, SwarmFacts, SwarmMembership
from jobs.inventory.model import Host
from jobs.plan import Refusal, fleet
from jobs.settings import EngineSection
from jobs.steps import services as service_steps
from jobs.steps.titles import describe_step
from tests.golden.text_layout import page, section
from tests.support.planner_world import OWN_NODE_ID, manager_node
from tests.unit.jobs.checks.test_host import BATCH, CASES, DOCKER_IO, GOOD, KADITZ, NOW, WEB
from tests.unit.jobs.daemon_options.test_rewrite import CASES as HOSTS
from tests.unit.jobs.daemon_options.test_rewrite import read as host_files

EDIT = FileEdit("/etc/docker/daemon.json", "", "{}")
STEPS: tuple[steps.Step, ...] = (
    steps.RemoveClassicContainers(("swarm-agent", "swarm-agent-master")),
    steps.StopStore("consul"),
    steps.SwitchAptSource(EDIT),
    steps.RewriteOptions((EDIT, EDIT)),
    steps.UpgradeEngine(("docker.io=26.1.5", "docker-cli=26.1.5"), "26.1.5"),
    steps.RestoreOptions("/etc/default/docker", ""),
    steps.RestartEngine("26.1.5", ("web",)),
    steps.EnsureContainersRunning(("web", "batch")),
    steps.InitSwarm(),
    steps.JoinSwarm(True),
    steps.JoinSwarm(False),
    steps.MarkPending(),
    steps.WaitForReady(),
    steps.AddToGroup("geschke"),
    steps.CleanDockerMachineConfig(EDIT),
    steps.RemoveStore("consul"),
    steps.PromoteNode("j8xsy2yb802b"),
    steps.WaitForReachable("j8xsy2yb802b"),
    steps.DrainNode("j8xsy2yb802b"),
    steps.ActivateNode("j8xsy2yb802b"),
    steps.UnmarkPending("j8xsy2yb802b"),
    steps.SetAvailability("j8xsy2yb802b", "drain"),
    steps.SetAvailability("j8xsy2yb802b", "active"),
    steps.WaitForTasks("j8xsy2yb802b"),
    steps.DemoteNode("j8xsy2yb802b"),
    steps.LeaveOnHost("j8xsy2yb802b"),
    steps.LeaveSwarm("j8xsy2yb802b"),
    service_steps.CreateService("web", "nginx:1.27@sha256:0", 3, room="3 of 3 nodes have room: a, b, c"),
    service_steps.ScaleService("web", 3, 5, "f", "3 of 3 nodes have room: a, b, c"),
    service_steps.RestartService("web", "f"),
    service_steps.RollBackService("web", "f", "e"),
    service_steps.AwaitConvergence("web"),
)


def step_titles() -> str:
    assert {type(step) for step in STEPS} == {*get_args(steps.HostStep), *service_steps.SERVICE_STEPS}
    lines = [describe_step(step) for step in STEPS]
    return page(section("every step", *(f"  {line.title}: {line.detail}".removesuffix(": ") for line in lines)))


# --- findings -------------------------------------------------------------------------------------------------------


def findings() -> str:
    """Return every named check with each of its texts once."""
    matches = dict.fromkeys([*_surroundings(), *_options(), *_engines(), *_port_findings(), *_swarms(), *_fleets()])
    names = dict.fromkeys(finding.check for finding in matches)
    return page(*(section(name, *_lines(item for item in matches if item.check == name)) for name in names))


def _lines(matches: Iterable[Finding]) -> Iterator[str]:
    order = {"pass": 0, "warn": 1, "block": 2}
    for item in sorted(matches, key=lambda item: order[item.level]):
        yield f"  {item.level:5}  {item.text}"
        if next_step := next_step_text(item.hint, item.next_commands):
            yield f"         -> {next_step}"


def _surroundings() -> Iterator[Finding]:
    facts = HostFacts("kaditz", package=DOCKER_IO)
    driving = replace(
        facts, containers=(WEB, BATCH, Container("proxy", "traefik:1.7", True, "always", mounts_docker_socket=True))
    )
    root = replace(KADITZ, ssh_user="root")
    for message in (
        GOOD,
        *(message for _, message, _, _ in CASES),
        replace(GOOD, address_mtus=(), certificate_expires=None, iptables_backend=""),
    ):
        yield from check_host(KADITZ, replace(facts, environment=message), "26.1.5", current_time=NOW)
    for target in ("25.0.1", "26.1.5", "29.0.0"):
        on_overlay = replace(driving, environment=replace(GOOD, overlay_networks=("front",)))
        yield from check_host(root, on_overlay, target, current_time=NOW)


def _options() -> Iterator[Finding]:
    for case in HOSTS:
        files, facts = host_files(case)
        if facts["findings"] and case.name != "clash-of-every-kind":  # the same words for each option
            yield from daemon_options.rewrite(files, str(facts["target"])).findings


UNIT = "/lib/systemd/system/docker.service"
TLS = "-H tcp://0.0.0.0:2376 --tlsverify --tlscacert /c/ca.pem --tlscert /c/server.pem --tlskey /c/server-key.pem"
PACKAGE = Package("docker.io", "20.10.24", "ii", ("26.1.5", "20.10.24"), ("26.1.5",), cli_package="docker-cli")
ADDRESS = "198.18.0.39"
STORE = Container("consul", "consul", True, "always", (), ("8500->8500/tcp",))
WORKER = Node(OWN_NODE_ID, "kaditz", ADDRESS, "worker", "active", "ready", "", "26.1.5", False)
LEADER = replace(manager_node("connewitz", leader=True), engine_version="26.1.5")
ONE = SwarmFacts("connewitz", (LEADER,), ("connewitz",))


def host(options: str = TLS, **how: Any) -> HostFacts:
    files = {UNIT: f"[Service]\nExecStart=/usr/bin/dockerd {options}\n", **how.pop("files", {})}
    fields = {"package": PACKAGE, "environment": HostEnvironment(), "engine_version": "20.10.24", **how}
    drop_ins = tuple(path for path in files if path.endswith(".conf"))
    return HostFacts("kaditz", options=OptionFiles(UnitFacts(UNIT, drop_ins, ()), files), **fields)


def plan_host(
    now: HostFacts, swarm: SwarmFacts = ONE, role: Role = "worker", version: str | None = None, **how: Any
) -> plan.Plan | Refusal:
    return plan.plan_migration(KADITZ, now, swarm, role, EngineSection(version=version), **how)


def _all_findings(*plans: plan.Plan | Refusal) -> Iterator[Finding]:
    for item in plans:
        assert isinstance(item, plan.Plan), item
        yield from item.findings


def _engines() -> Iterator[Finding]:
    older = replace(PACKAGE, installed="27.5.1", downgrades=("26.1.5",), candidates=("26.1.5",))
    drop_ins = {
        f"/etc/systemd/system/docker.service.d/{name}.conf": f"[Service]\nExecStart=\nExecStart=/x {TLS}\n"
        for name in ("10-machine", "20-ours")
    }
    default = {"/etc/default/docker": 'OPTIONS="--debug"\nDOCKER_OPTS=--debug\n'}
    yield from _all_findings(
        plan_host(host(TLS)),
        plan_host(host("-H fd://")),
        plan_host(host(api_reachable=False)),
        plan_host(host(api_reachable=False, options_changed=True)),
        plan_host(host(api_reachable=False, engine_version="1.11.2")),
        plan_host(host(f"{TLS} --live-restore")),
        plan_host(host(environment=HostEnvironment(unreadable_files=("/c/server-key.pem",)))),
        plan_host(host(package=older), version="26.1*"),
        plan_host(host(package=replace(PACKAGE, installed="26.1.5"))),
        plan_host(host(files=drop_ins)),
        plan_host(host(files=default)),
        plan_host(host(unfinished_run="k3fm9x2q")),
        plan_host(host(), store=KeyValueStore(STORE, ("tondi",))),
        plan_host(host(), store=KeyValueStore(STORE)),
        plan_host(host(environment=HostEnvironment(store_peers=("198.18.0.99",))), store=KeyValueStore(STORE)),
        plan_host(host(), store=KeyValueStore(replace(STORE, running=False, restart_policy="no"))),
    )


def _port_findings() -> Iterator[Finding]:
    every = [PortProbe("kaditz", "tondi", kind, port, True) for kind, port in SWARM_PORTS]
    yield from ports.check_ports(())
    yield from ports.check_ports(every)
    yield from ports.check_ports([replace(probe, reached=False) for probe in every])
    yield from ports.check_ports([PortProbe("kaditz", "tondi", error="tondi is unreachable over SSH")])


def _swarms() -> Iterator[Finding]:
    own_manager = replace(WORKER, role="manager", manager_status="reachable")
    inside = host(membership=SwarmMembership("active", OWN_NODE_ID, True))
    tondi, lausen = (replace(manager_node(name), engine_version="26.1.5") for name in ("tondi", "lausen"))
    away = replace(lausen, manager_status="unreachable")

    def among(*nodes: Node, **how: Any) -> SwarmFacts:
        return SwarmFacts("connewitz", nodes, ("connewitz",), **how)

    old = replace(WORKER, id="old-node-of-kaditz", state="down")
    yield from _all_findings(
        plan_host(host(), SwarmFacts(), "manager"),
        plan_host(host(), SwarmFacts(unreachable=("tondi", "lausen")), "manager"),
        plan_host(host(), among(LEADER)),
        plan_host(host(), among(LEADER), "manager"),
        plan_host(host(), among(LEADER, tondi)),
        plan_host(host(), among(LEADER, old)),
        plan_host(host(), among(LEADER, replace(old, role="manager"))),
        plan_host(host(), among(replace(LEADER, engine_version="24.0.9"))),
        plan_host(host(), among(LEADER, autolock=True)),
        plan_host(inside, among(LEADER, own_manager, autolock=True), "manager"),
        plan_host(inside, among(own_manager), "manager"),
        plan_host(inside, among(LEADER, own_manager), "manager"),
        plan_host(inside, among(LEADER, own_manager, tondi), "manager"),
        plan_host(inside, among(LEADER, own_manager, away), "manager"),
    )


def _fleets() -> Iterator[Finding]:
    hosts = [Host(name, server="server-1") for name in ("connewitz", "tondi")]
    roles: dict[str, Role] = {host.name: "manager" for host in hosts}
    plans = {
        name: plan.Plan((steps.WaitForReady(),), target_version=target)
        for name, target in (("connewitz", "26"), ("tondi", "27"))
    }
    yield from fleet.arrange_fleet(hosts, roles, plans, SwarmFacts(), frozenset(), 1).findings
