"""What the jobs report: step titles, findings, refusals and errors. Text per surface."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any, get_args

from redis import Redis

from imker.moment import Moment
from jobs import approval, contract, daemon_options, fleet, gate, plan, steps, swarms
from jobs.classic import Store
from jobs.contract import Approval, Finding, Migrate, Request, Role, Waiting
from jobs.daemon_options import FileEdit, OptionFiles, UnitFacts
from jobs.facts import Container, HostFacts, Node, Package, SwarmFacts, SwarmPlace
from jobs.inventory import Host
from jobs.plan import Refusal
from jobs.preflight import checks, ports
from jobs.preflight.conditions import Conditions
from jobs.preflight.ports import PORTS, PortProbe
from jobs.settings import EngineSection, RightsSection
from jobs.steps import describe
from tests import streams
from tests.golden.page import page, section
from tests.jobs.preflight.test_checks import BATCH, CASES, DOCKER_IO, GOOD, KADITZ, NOW, WEB
from tests.jobs.test_daemon_options import CASES as HOSTS
from tests.jobs.test_daemon_options import read as host_files
from tests.jobs.world import OWN, manager

EDIT = FileEdit("/etc/docker/daemon.json", "", "{}")
STEPS: tuple[steps.Step, ...] = (
    steps.RetireContainers(("swarm-agent", "swarm-agent-master")), steps.StopStore("consul"), steps.SwitchSource(EDIT),
    steps.RewriteOptions((EDIT, EDIT)), steps.UpgradeEngine(("docker.io=26.1.5", "docker-cli=26.1.5"), "26.1.5"),
    steps.PutOptionsBack("/etc/default/docker", ""), steps.RestartEngine("26.1.5", ("web",)),
    steps.StartContainers(("web", "batch")), steps.InitSwarm(), steps.JoinSwarm(True), steps.JoinSwarm(False),
    steps.MarkPending(), steps.CheckNode(), steps.AddToGroup("geschke"), steps.CleanMachine(EDIT),
    steps.RemoveStore("consul"), steps.Promote("j8xsy2yb802b"), steps.AwaitReachable("j8xsy2yb802b"),
    steps.DrainNode("j8xsy2yb802b"), steps.Activate("j8xsy2yb802b"), steps.LeaveSwarm("j8xsy2yb802b"),
)  # fmt: skip


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
    for case in (case for case in HOSTS if case.name != "clash-of-every-kind"):  # the same words for each option
        files, facts = host_files(case)
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


def _made(
    now: HostFacts, swarm: SwarmFacts = ONE, role: Role = "worker", version: str | None = None, **how: Any
) -> plan.Plan | Refusal:
    return plan.migration(KADITZ, now, swarm, role, EngineSection(version=version), **how)


def _found(*made: plan.Plan | Refusal) -> Iterator[Finding]:
    for one in made:
        assert isinstance(one, plan.Plan), one
        yield from one.findings


def _engines() -> Iterator[Finding]:
    older = replace(PACKAGE, installed="27.5.1", older=("26.1.5",), candidates=("26.1.5",))
    drop_ins = {f"/etc/systemd/system/docker.service.d/{name}.conf": f"[Service]\nExecStart=\nExecStart=/x {TLS}\n"
                for name in ("10-machine", "20-ours")}  # fmt: skip
    default = {"/etc/default/docker": 'OPTIONS="--debug"\nDOCKER_OPTS=--debug\n'}
    yield from _found(
        _made(host(TLS)), _made(host("-H fd://")), _made(host(api=False)), _made(host(api=False, stale=True)),
        _made(host(api=False, engine="1.11.2")), _made(host(f"{TLS} --live-restore")),
        _made(host(conditions=Conditions(unread=("/c/server-key.pem",)))), _made(host(package=older), version="26.1*"),
        _made(host(package=replace(PACKAGE, installed="26.1.5"))), _made(host(files=drop_ins)),
        _made(host(files=default)), _made(host(begun="k3fm9x2q")), _made(host(), store=Store(STORE, ("tondi",))),
        _made(host(), store=Store(STORE)),
        _made(host(conditions=Conditions(store_peers=("198.18.0.99",))), store=Store(STORE)),
        _made(host(), store=Store(replace(STORE, running=False, restart="no"))),
    )  # fmt: skip


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
        _made(host(), SwarmFacts(), "manager"), _made(host(), SwarmFacts(silent=("tondi", "lausen")), "manager"),
        _made(host(), among(LEADER)), _made(host(), among(LEADER), "manager"), _made(host(), among(LEADER, tondi)),
        _made(host(), among(LEADER, old)), _made(host(), among(LEADER, replace(old, role="manager"))),
        _made(host(), among(replace(LEADER, engine="24.0.9"))), _made(host(), among(LEADER, autolock=True)),
        _made(inside, among(LEADER, own, autolock=True), "manager"), _made(inside, among(own), "manager"),
        _made(inside, among(LEADER, own), "manager"), _made(inside, among(LEADER, own, tondi), "manager"),
        _made(inside, among(LEADER, own, away), "manager"),
    )  # fmt: skip


def _fleets() -> Iterator[Finding]:
    hosts = [Host(name, server="server-1") for name in ("connewitz", "tondi")]
    roles: dict[str, Role] = {host.name: "manager" for host in hosts}
    made = {name: plan.Plan((steps.CheckNode(),), target=target) for name, target in (("connewitz", "26"), ("tondi", "27"))}
    yield from fleet.arrange(hosts, roles, made, SwarmFacts(), frozenset(), 1).findings


# --- refusals -------------------------------------------------------------------------------------------------------


def refusals(redis: Redis) -> str:
    lines = {"a plan": _plans(), "an acceptance or a rejection": _members(), "an approval": _approvals()}
    more = {"two swarms, or none that answers": _problems(), "an RQ job": _jobs(redis)}
    return page(*(section(f"refusals of {title}", *found) for title, found in {**lines, **more}.items()))


def _refused(made: plan.Plan | Refusal) -> str:
    assert isinstance(made, Refusal), made
    return _pair(made.summary, made.hint) + (f"\n     check: {made.check}" if made.check else "")


def _pair(text: str, hint: str = "") -> str:
    return f"  {text}" + (f"\n     -> {hint}" if hint else "")


def _plans() -> list[str]:
    pending = replace(WORKER, pending=True)
    member = host(place=SwarmPlace("active", OWN))
    candidate = replace(LEADER, engine="1.12.0-rc2")
    made = (
        _made(host(package=None)), _made(host(), version="99*"), _made(host(package=replace(PACKAGE, candidates=())), version="9"),
        _made(host(), SwarmFacts(problem="(why)")), _made(host(), replace(ONE, nodes=(candidate,))),
        _made(member), _made(host(), SwarmFacts()), _made(member, replace(ONE, nodes=(LEADER, pending))),
        _made(member, replace(ONE, nodes=(LEADER, replace(WORKER, role="manager", manager="reachable")))),
    )  # fmt: skip
    return [_refused(one) for one in made]


def _members() -> list[str]:
    pending = replace(WORKER, pending=True)
    away = replace(manager("tondi"), manager="unreachable")
    swarm = replace(ONE, nodes=(LEADER, away, pending))
    late = replace(ONE, nodes=(LEADER, replace(pending, role="manager")))
    two = replace(ONE, nodes=(LEADER, pending, replace(pending, id=f"{OWN}-2", hostname="lausen")))
    made = (
        plan.acceptance(SwarmFacts(problem="(why)"), OWN), plan.acceptance(ONE, OWN), plan.acceptance(two, OWN[:4]),
        plan.acceptance(swarm, OWN), plan.rejection(late, OWN, False),
    )  # fmt: skip
    return [_refused(one) for one in made]


def _approvals() -> list[str]:
    asked = Waiting("accept", "shown", asked=Moment(NOW, "boot", 100.0))
    bob, alice = Approval("U02BOB", "shown", NOW), Approval("U01ALICE", "shown", NOW)
    at, rights = Moment(NOW + 60, "boot", 160.0), RightsSection()

    def said(*yes: Approval, asked: Waiting | None = asked, rights: RightsSection = rights, now: Moment = at) -> str:
        request = Request("k3fm9x2q", 2, Migrate("kaditz"), "U01ALICE", yes)
        return approval.objection(request, asked, "shown", rights, now)

    texts = (
        said(bob, asked=None), said(alice), said(bob, rights=RightsSection(accept_count=2)),
        said(bob, now=replace(at, since=4000.0)), said(replace(bob, fingerprint="other")),
    )  # fmt: skip
    return [_pair(text) for text in texts]


def _problems() -> list[str]:
    places = {"connewitz": SwarmPlace("active", "a", True, "c1"), "tondi": SwarmPlace("active", "b", True, "c2")}
    same = {name: replace(place, cluster="") for name, place in places.items()}
    texts = [swarms.more_than_one(places, {}), swarms.more_than_one(same, {"connewitz": (), "tondi": ()})]
    states = ("locked", "error", "pending", "active")
    return [_pair(text) for text in (*texts, *(swarms.without_manager({"kaditz": state}) for state in states))]


def _jobs(redis: Redis) -> list[str]:
    request = Request("k3fm9x2q", 1, Migrate("kaditz"), "U01ALICE", expires=NOW + 60)
    text = contract.encode(request)
    old = contract.encode(replace(request, expires=NOW - 1))
    newer, older = (text.replace('"contract": 1', f'"contract": {version}') for version in (99, 0))
    key, right = streams.KEY, streams.KEY.sign(text)
    tries = [(text, ""), (text, "wrong"), (old, key.sign(old)), (newer, key.sign(newer)), (older, key.sign(older)),
             (newer, ""), (text, right), (text, right), ("no JSON", "")]  # fmt: skip
    return [line for one in tries if (line := _admitted(redis, *one))]


def _admitted(redis: Redis, text: str, signature: str) -> str:
    try:
        gate.admit(text, signature, streams.KEY, redis, NOW)
    except gate.Refused as refused:
        return _pair(refused.summary, refused.hint)
    except contract.UnknownContract as unknown:
        return _pair(str(unknown))
    return ""
