"""Plan the repair of a manager whose Engine is down, while no other manager can report the swarm. Pure."""

from dataclasses import replace

from imker.protocol.commands import ListNodes
from imker.protocol.next_command import NextCommand
from imker.protocol.values import Finding
from jobs.facts.host import HostFacts
from jobs.facts.swarm import SwarmFacts
from jobs.inventory.model import Host
from jobs.plan.model import Plan


def needs_repair(host: Host, facts: HostFacts, swarm: SwarmFacts) -> bool:
    """Return whether the swarm cannot be seen because the Engine of this host, one of its managers, is down."""
    return not facts.engine_version and host.name in swarm.silent_managers


def plan_repair(host: Host, swarm: SwarmFacts, engine: Plan, checks: tuple[Finding, ...]) -> Plan:
    """Return the plan: the steps of the Engine, and none of its membership, which only a manager can show."""
    return replace(engine, findings=(*checks, *engine.findings, _finding(host, swarm)), is_repair=True)


def _finding(host: Host, swarm: SwarmFacts) -> Finding:
    others = [name for name in swarm.silent_managers if name != host.name]
    text = f"{host.name} manages the swarm, its Engine is down, and no other manager can show the swarm"
    text += f" ({', '.join(others)}: no answer)" if others else ""
    hint = (
        "This plan only repairs and restarts its Engine. If the swarm is locked after that, run `docker swarm unlock`."
    )
    return Finding("swarm", "warn", text, hint, (NextCommand(ListNodes(), "see the swarm after the restart"),))
