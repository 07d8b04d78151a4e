"""Format the refusals of jobs: plans, acceptances, approvals, and RQ jobs."""

from dataclasses import replace

from redis import Redis

from bot.messages.next_command import next_step_text
from imker.clock import Timestamp
from imker.config import AcceptanceRules
from imker.protocol import codec
from imker.protocol.commands import Approval, Migrate, Request
from imker.protocol.events import DecisionRequested
from jobs import admission, plan
from jobs.facts import swarm_agreement
from jobs.facts.swarm import SwarmFacts, SwarmMembership
from jobs.plan import Refusal, approvals
from tests.golden.surfaces_findings import LEADER, ONE, PACKAGE, WORKER, host, plan_host
from tests.golden.text_layout import page, section
from tests.support import streams
from tests.support.planner_world import OWN_NODE_ID, manager_node
from tests.unit.jobs.checks.test_host import NOW
from tests.unit.jobs.facts.test_swarm_agreement import ATTACKS


def refusals(redis: Redis) -> str:
    lines = {"a plan": _plans(), "an acceptance or a rejection": _members(), "an approval": _approvals()}
    other_lines = {"two swarms, or none that answers": _problems(), "an RQ job": _jobs(redis)}
    return page(*(section(f"refusals of {title}", *texts) for title, texts in {**lines, **other_lines}.items()))


def _refused(result: plan.Plan | Refusal) -> str:
    assert isinstance(result, Refusal), result
    return _pair(result.summary, next_step_text(result.hint, result.next_commands)) + (
        f"\n     check: {result.check}" if result.check else ""
    )


def _pair(text: str, hint: str = "") -> str:
    return f"  {text}" + (f"\n     -> {hint}" if hint else "")


def _plans() -> list[str]:
    pending = replace(WORKER, pending=True)
    member = host(membership=SwarmMembership("active", OWN_NODE_ID))
    candidate = replace(LEADER, engine_version="1.12.0-rc2")
    plans = (
        plan_host(host(package=None)),
        plan_host(host(), version="99*"),
        plan_host(host(package=replace(PACKAGE, candidates=())), version="9"),
        plan_host(host(), SwarmFacts(problem="(why)")),
        plan_host(host(), replace(ONE, nodes=(candidate,))),
        plan_host(member),
        plan_host(host(), SwarmFacts()),
        plan_host(member, replace(ONE, nodes=(LEADER, pending))),
        plan_host(member, replace(ONE, nodes=(LEADER, replace(WORKER, role="manager", manager_status="reachable")))),
    )
    return [_refused(item) for item in plans]


def _members() -> list[str]:
    pending = replace(WORKER, pending=True)
    away = replace(manager_node("tondi"), manager_status="unreachable")
    swarm = replace(ONE, nodes=(LEADER, away, pending))
    late = replace(ONE, nodes=(LEADER, replace(pending, role="manager")))
    two = replace(ONE, nodes=(LEADER, pending, replace(pending, id=f"{OWN_NODE_ID}-2", hostname="lausen")))
    plans = (
        plan.plan_acceptance(SwarmFacts(problem="(why)"), OWN_NODE_ID),
        plan.plan_acceptance(ONE, OWN_NODE_ID),
        plan.plan_acceptance(two, OWN_NODE_ID[:4]),
        plan.plan_acceptance(swarm, OWN_NODE_ID),
        plan.plan_rejection(late, OWN_NODE_ID, False),
    )
    return [_refused(item) for item in plans]


def _approvals() -> list[str]:
    question = DecisionRequested("accept", "shown", asked_at=Timestamp(NOW, "boot", 100.0))
    bob, alice = Approval("U02BOB", "shown", NOW), Approval("U01ALICE", "shown", NOW)
    at, rights = Timestamp(NOW + 60, "boot", 160.0), AcceptanceRules()

    def problem_text(
        *yes: Approval,
        question: DecisionRequested | None = question,
        rights: AcceptanceRules = rights,
        now: Timestamp = at,
    ) -> str:
        request = Request("k3fm9x2q", 2, Migrate("kaditz"), "U01ALICE", yes)
        return approvals.find_approval_problem(request, question, "shown", rights, now)

    texts = (
        problem_text(bob, question=None),
        problem_text(alice),
        problem_text(bob, rights=AcceptanceRules(accept_count=2)),
        problem_text(bob, now=replace(at, boot_seconds=4000.0)),
        problem_text(replace(bob, fingerprint="other")),
    )
    return [_pair(text) for text in texts]


def _problems() -> list[str]:
    disagreements = [case.problem() for case, _ in ATTACKS.values()]
    states = ("locked", "error", "pending", "active")
    return [
        _pair(text)
        for text in (*disagreements, *(swarm_agreement.explain_unreachable({"kaditz": state}) for state in states))
    ]


def _jobs(redis: Redis) -> list[str]:
    request = Request("k3fm9x2q", 1, Migrate("kaditz"), "U01ALICE", expires_at=NOW + 60)
    text = codec.encode_message(request)
    old = codec.encode_message(replace(request, expires_at=NOW - 1))
    newer, older = (text.replace('"protocol_version": 2', f'"protocol_version": {version}') for version in (99, 0))
    key, right = streams.KEY, streams.KEY.sign(text)
    tries = [
        (text, ""),
        (text, "wrong"),
        (old, key.sign(old)),
        (newer, key.sign(newer)),
        (older, key.sign(older)),
        (newer, ""),
        (text, right),
        (text, right),
        ("no JSON", ""),
    ]
    return [line for item in tries if (line := _admitted(redis, *item))]


def _admitted(redis: Redis, text: str, signature: str) -> str:
    try:
        admission.admit(text, signature, streams.KEY, redis, NOW)
    except admission.JobRejected as refused:
        return _pair(refused.summary, next_step_text(refused.hint, refused.next_commands))
    except codec.UnsupportedVersion as unknown:
        return _pair(str(unknown))
    return ""
