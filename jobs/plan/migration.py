"""Plan the migration of a host from its facts. Pure: no clock, no randomness, no I/O.

A plan contains only the remaining steps, as it is made from the current state: to resume is to plan again.
"""

from imker.protocol.commands import Role
from imker.protocol.values import Finding
from jobs.checks.swarm import check_swarm
from jobs.daemon_options import FileEdit
from jobs.facts.classic_swarm import KeyValueStore
from jobs.facts.host import HostFacts
from jobs.facts.own_node import is_manager
from jobs.facts.swarm import SwarmFacts
from jobs.inventory.model import Host
from jobs.plan.engine import plan_engine
from jobs.plan.membership import plan_membership, with_drain
from jobs.plan.model import Plan, Refusal
from jobs.plan.repair import needs_repair, plan_repair
from jobs.settings import EngineSection
from jobs.steps import AddToGroup, CleanDockerMachineConfig, Step


def plan_migration(
    host: Host,
    facts: HostFacts,
    swarm: SwarmFacts,
    role: Role,
    engine_settings: EngineSection,
    *,
    store: KeyValueStore | None = None,
    machine_cleanup: FileEdit | None = None,
    docker_group: bool = False,
    checks: tuple[Finding, ...] = (),
) -> Plan | Refusal:
    """Return the remaining steps until `host` is in the swarm with its role, on the target Engine, or a Refusal.

    `store`: the key-value store on this host, with its users; `machine_cleanup`: the edit that removes the classic
    Swarm from docker-machine's config; `docker_group`: add the SSH user to the docker group; `checks`: findings on the
    host and its environment.
    """
    if facts.package is None:
        return Refusal(
            f"{host.name} has no Engine package from apt",
            "Install one, or set [engine] package to its name.",
            "candidate version",
        )
    engine = plan_engine(host, facts, facts.package, engine_settings, store)
    if isinstance(engine, Refusal):
        return engine
    if needs_repair(host, facts, swarm):
        return plan_repair(host, swarm, engine, checks)
    join = plan_membership(host, facts, swarm, role)
    if isinstance(join, Refusal):
        return join
    # The remaining steps of an acceptance may be in both.
    node_steps = dict.fromkeys((*with_drain(host, facts, swarm, engine.steps), *join))
    steps = (
        *_group_steps(host, facts, docker_group),
        *node_steps,
        *((CleanDockerMachineConfig(machine_cleanup),) if machine_cleanup else ()),
    )
    findings = (*checks, *engine.findings, *check_swarm(host, facts, swarm, steps, engine.target_version))
    needs_acceptance = role == "manager" and swarm.exists and not is_manager(host, facts, swarm)
    return Plan(steps, findings, engine.edits, needs_acceptance, engine.target_version)


def _group_steps(host: Host, facts: HostFacts, docker_group: bool) -> tuple[Step, ...]:
    groups = facts.environment.user_groups if facts.environment else ()
    return (AddToGroup(host.ssh_user),) if docker_group and "docker" not in groups else ()
