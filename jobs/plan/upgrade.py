"""Plan the rolling upgrade of a swarm: its nodes one by one, managers first, the leader last of them. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from imker.protocol.commands import Migrate, Role
from imker.protocol.events import FleetPlanned
from imker.protocol.next_command import NextCommand
from imker.protocol.node_commands import Remove
from imker.protocol.values import Finding
from jobs.checks.api_clients import ApiClient, check_api_clients
from jobs.facts.own_node import is_node_at
from jobs.facts.swarm import Node, SwarmFacts
from jobs.inventory.model import Host
from jobs.plan.fleet import arrange_fleet
from jobs.plan.model import Plan, Refusal
from jobs.plan.nodes import has_node
from jobs.steps import InitSwarm, JoinSwarm


def upgrade_plan(host: Host, plan: Plan | Refusal) -> Plan | Refusal:
    """Return the plan of a node, or a Refusal if the host is none. Mixed versions are expected on the way."""
    if isinstance(plan, Refusal):
        return plan
    if any(isinstance(step, InitSwarm | JoinSwarm) for step in plan.steps):
        migrate = NextCommand(Migrate(host.name), "move it into the swarm")
        return Refusal(f"{host.name} is not a node of the swarm", next_commands=(migrate,))
    return replace(plan, findings=tuple(map(_expect_mixed_versions, plan.findings)))


def refuse_unreachable(host: Host, refusal: Refusal) -> Refusal:
    """Return why a node that cannot be inspected blocks the upgrade, and the command that takes it off the list."""
    remove = NextCommand(Remove(host.name), "remove it if it no longer exists")
    return replace(refusal, next_commands=(*refusal.next_commands, remove))


def nodes_of_inventory(hosts: Iterable[Host], swarm: SwarmFacts) -> tuple[Host, ...]:
    return tuple(host for host in hosts if has_node(host, swarm))


def arrange_upgrade(
    hosts: Sequence[Host],
    roles: Mapping[str, Role],
    plans: Mapping[str, Plan | Refusal],
    swarm: SwarmFacts,
    clients: Iterable[ApiClient],
    pause_seconds: float,
) -> FleetPlanned:
    """Return the plan of all nodes, one at a time. `hosts`: in order; `clients`: services that use Docker's socket."""
    fleet_plan = arrange_fleet(hosts, roles, plans, swarm, frozenset(), 1)
    targets = sorted({plan.target_version for plan in plans.values() if isinstance(plan, Plan)})
    findings = (
        *(finding for finding in fleet_plan.findings if finding.check != "managers"),
        *_check_foreign_nodes(hosts, swarm),
        *(check_api_clients(clients, targets[-1]) if targets else ()),
    )
    return replace(fleet_plan, findings=findings, pause_seconds=pause_seconds)


def _check_foreign_nodes(hosts: Sequence[Host], swarm: SwarmFacts) -> tuple[Finding, ...]:
    """Warn of nodes that Imker cannot reach: they keep their Engine."""
    foreign = [node for node in swarm.nodes if not _belongs_to_any(node, hosts)]
    if not foreign:
        return ()
    names = ", ".join(node.hostname or node.id[:12] for node in foreign)
    text = f"in no host's section of the inventory, so they are not upgraded: {names}"
    return (Finding("nodes", "warn", text, "Add them to imker.toml, or upgrade them yourself."),)


def _belongs_to_any(node: Node, hosts: Sequence[Host]) -> bool:
    return any(is_node_at(host, node) for host in hosts)


def _expect_mixed_versions(finding: Finding) -> Finding:
    is_mixed = finding.check == "engine versions" and finding.level == "warn"
    return replace(finding, level="pass", hint="") if is_mixed else finding
