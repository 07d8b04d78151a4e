"""Run the steps that only one host of the swarm may run at a time: initialize, join, restart a manager.

In: a step and its target. Out: the step's result, or a JobError. The lock of the swarm is held meanwhile.
"""

import time
from contextlib import AbstractContextManager

from jobs import steps
from jobs.connectors.fenced_shell import claim_token
from jobs.context import JobContext
from jobs.errors import StateChanged
from jobs.execute import execute_step, membership
from jobs.execute.target import StepTarget
from jobs.facts import quorum
from jobs.gather.known_swarm import gather_known_swarm, gather_settled_swarm
from jobs.inventory.model import Host
from jobs.locking.lease import Lease, LockHolder, acquire_lock
from jobs.steps.titles import describe_step

LOCK_TIMEOUT = 45  # seconds to wait for a lock: longer than the lease of a dead holder
JOINS_AT_ONCE = 4  # the lock of the swarm is awaited that much longer, as hosts of a fleet join one after the other
REACHABLE_TIMEOUT = 20  # seconds to wait for hosts before a swarm is initialized, while others wait for its lock


def hold_lock(context: JobContext, name: str, purpose: str) -> AbstractContextManager[Lease]:
    """Acquire the lock `name` for this run. Raise LockHeld after LOCK_TIMEOUT, for the swarm after a multiple of it."""
    holder = LockHolder(context.request.run, context.request.requester, purpose, time.time())
    timeout = LOCK_TIMEOUT * (JOINS_AT_ONCE if name == "swarm" else 1)
    return acquire_lock(context.redis, name, holder, timeout=timeout)


def run_exclusively(context: JobContext, step: steps.Step, target: StepTarget) -> str:
    """Execute a step. Initialize, join, or restart a manager under the lock of the swarm: one host at a time."""
    if not _is_exclusive(step):
        return execute_step(step, target)
    with hold_lock(context, "swarm", f"{describe_step(step).title}, {target.host.name}") as lease:
        match step:
            case steps.InitSwarm():
                return _init_swarm(context, step, target)
            case steps.RestartEngine():
                return _restart_manager(context, step, target)
            case _:
                claim_token(lease, lambda token: membership.claim_swarm(target, token))
                return execute_step(step, target)


def _is_exclusive(step: steps.Step) -> bool:
    restarts_manager = isinstance(step, steps.RestartEngine) and step.manager_node != ""
    return restarts_manager or isinstance(step, steps.InitSwarm | steps.JoinSwarm)


def _init_swarm(context: JobContext, step: steps.InitSwarm, target: StepTarget) -> str:
    _check_no_swarm(context, target.host, step)
    result = execute_step(step, target)
    gather_known_swarm(context, ask_silent=False)  # saves the new swarm as the known one
    return result


def _restart_manager(context: JobContext, step: steps.RestartEngine, target: StepTarget) -> str:
    """Restart a manager, unless others became unreachable after the plan was made. Wait until it takes part again."""
    swarm = gather_settled_swarm(context)
    managers = [node for node in swarm.nodes if node.role == "manager"]
    unreachable = [node.hostname for node in managers if not node.manages]
    if swarm.problem or (
        unreachable and not quorum.may_restart_manager(len(managers), len(managers) - len(unreachable))
    ):
        reason = swarm.problem or f"unreachable: {', '.join(unreachable)}; the swarm would lose quorum"
        raise StateChanged(f"the manager was not restarted: {reason}", host=target.host.name)
    result = execute_step(step, target)
    membership.is_reachable(target, step.manager_node)  # a later step of the plan fails if it is not
    return result


def _check_no_swarm(context: JobContext, host: Host, step: steps.InitSwarm) -> None:
    """Raise StateChanged if a swarm was initialized after the plan was made, or may have been.

    A host that became unreachable has REACHABLE_TIMEOUT to answer: its Engine may just be restarting.
    """
    deadline = time.monotonic() + REACHABLE_TIMEOUT
    while True:
        swarm = gather_known_swarm(context)
        if swarm.exists or swarm.problem:
            raise StateChanged("another swarm was initialized meanwhile, so none was initialized here", host=host.name)
        lost = [name for name in swarm.unreachable if name not in (host.name, *step.unreachable)]
        if not lost:
            return
        if time.monotonic() > deadline:
            text = f"{', '.join(lost)} became unreachable and may manage a swarm, so none was initialized here"
            raise StateChanged(text, host=host.name)
        time.sleep(1)
