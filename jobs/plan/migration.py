"""From what is true to what is to be done. Pure: no clock, no randomness, no I/O.

A plan is made from the host as it is now, so what is done already is not in it: to resume is to plan again.
"""

from jobs.classic import Store
from jobs.contract import Finding, Role
from jobs.daemon_options import FileEdit
from jobs.facts import HostFacts, SwarmFacts
from jobs.inventory import Host
from jobs.plan.engine import engine_steps
from jobs.plan.membership import is_manager, membership, spared, swarm_findings
from jobs.plan.model import Plan, Refusal
from jobs.settings import EngineSection
from jobs.steps import AddToGroup, CleanMachine, Step


def migration(
    host: Host,
    now: HostFacts,
    swarm: SwarmFacts,
    role: Role,
    goal: EngineSection,
    *,
    store: Store | None = None,
    residue: FileEdit | None = None,
    docker_group: bool = False,
    checks: tuple[Finding, ...] = (),
) -> Plan | Refusal:
    """All that is left to do to have `host` in the swarm with its role, on the wanted Engine.

    `store`: the key-value store on this host, with the other hosts that still need it; `residue`: what docker-machine's
    store still says of the classic Swarm; `docker_group`: whether to put the SSH user into it; `checks`: findings on
    the host's surroundings.
    """
    if now.package is None:
        return Refusal(
            f"{host.name} has no Engine package that apt knows",
            "Install one, or name it: [engine] package.",
            "candidate version",
        )
    engine = engine_steps(host, now, now.package, goal, store)
    if isinstance(engine, Refusal):
        return engine
    join = membership(host, now, swarm, role)
    if isinstance(join, Refusal):
        return join
    # What is left of an acceptance may be in both.
    inside = dict.fromkeys((*spared(host, now, swarm, engine.steps), *join))
    steps = (*_group(host, now, docker_group), *inside, *((CleanMachine(residue),) if residue else ()))
    findings = (*checks, *engine.findings, *swarm_findings(host, now, swarm, steps, engine.target))
    waits = role == "manager" and swarm.exists and not is_manager(host, now, swarm)
    return Plan(steps, findings, engine.edits, waits, engine.target)


def _group(host: Host, now: HostFacts, wanted: bool) -> tuple[Step, ...]:
    groups = now.conditions.groups if now.conditions else ()
    return (AddToGroup(host.ssh_user),) if wanted and "docker" not in groups else ()
