"""Why the jobs refuse: plans, acceptances, approvals, RQ jobs. Text per surface."""

from dataclasses import replace

from redis import Redis

from imker.moment import Moment
from jobs import approval, contract, gate, plan, swarms
from jobs.contract import Approval, Migrate, Request, Waiting
from jobs.facts import SwarmFacts, SwarmPlace
from jobs.plan import Refusal
from jobs.settings import RightsSection
from tests import streams
from tests.golden.page import page, section
from tests.golden.surfaces_findings import LEADER, ONE, PACKAGE, WORKER, host, planned
from tests.jobs.preflight.test_checks import NOW
from tests.jobs.test_swarms import ATTACKS
from tests.jobs.world import OWN, manager


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
        planned(host(package=None)),
        planned(host(), version="99*"),
        planned(host(package=replace(PACKAGE, candidates=())), version="9"),
        planned(host(), SwarmFacts(problem="(why)")),
        planned(host(), replace(ONE, nodes=(candidate,))),
        planned(member),
        planned(host(), SwarmFacts()),
        planned(member, replace(ONE, nodes=(LEADER, pending))),
        planned(member, replace(ONE, nodes=(LEADER, replace(WORKER, role="manager", manager="reachable")))),
    )
    return [_refused(one) for one in made]


def _members() -> list[str]:
    pending = replace(WORKER, pending=True)
    away = replace(manager("tondi"), manager="unreachable")
    swarm = replace(ONE, nodes=(LEADER, away, pending))
    late = replace(ONE, nodes=(LEADER, replace(pending, role="manager")))
    two = replace(ONE, nodes=(LEADER, pending, replace(pending, id=f"{OWN}-2", hostname="lausen")))
    made = (
        plan.acceptance(SwarmFacts(problem="(why)"), OWN),
        plan.acceptance(ONE, OWN),
        plan.acceptance(two, OWN[:4]),
        plan.acceptance(swarm, OWN),
        plan.rejection(late, OWN, False),
    )
    return [_refused(one) for one in made]


def _approvals() -> list[str]:
    asked = Waiting("accept", "shown", asked=Moment(NOW, "boot", 100.0))
    bob, alice = Approval("U02BOB", "shown", NOW), Approval("U01ALICE", "shown", NOW)
    at, rights = Moment(NOW + 60, "boot", 160.0), RightsSection()

    def said(*yes: Approval, asked: Waiting | None = asked, rights: RightsSection = rights, now: Moment = at) -> str:
        request = Request("k3fm9x2q", 2, Migrate("kaditz"), "U01ALICE", yes)
        return approval.objection(request, asked, "shown", rights, now)

    texts = (
        said(bob, asked=None),
        said(alice),
        said(bob, rights=RightsSection(accept_count=2)),
        said(bob, now=replace(at, since=4000.0)),
        said(replace(bob, fingerprint="other")),
    )
    return [_pair(text) for text in texts]


def _problems() -> list[str]:
    disagreements = [case.problem() for case, _ in ATTACKS.values()]
    states = ("locked", "error", "pending", "active")
    return [_pair(text) for text in (*disagreements, *(swarms.without_manager({"kaditz": state}) for state in states))]


def _jobs(redis: Redis) -> list[str]:
    request = Request("k3fm9x2q", 1, Migrate("kaditz"), "U01ALICE", expires=NOW + 60)
    text = contract.encode(request)
    old = contract.encode(replace(request, expires=NOW - 1))
    newer, older = (text.replace('"contract": 1', f'"contract": {version}') for version in (99, 0))
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
    return [line for one in tries if (line := _admitted(redis, *one))]


def _admitted(redis: Redis, text: str, signature: str) -> str:
    try:
        gate.admit(text, signature, streams.KEY, redis, NOW)
    except gate.Refused as refused:
        return _pair(refused.summary, refused.hint)
    except contract.UnknownContract as unknown:
        return _pair(str(unknown))
    return ""
