import pytest

from bot.grammar import Right
from bot.policy import Actor, Allowed, Denied, Kind, authorize, authorize_decision, may
from bot.record import RunRecord, Verdict
from bot.settings import Rights
from jobs.contract import Migrate

RIGHTS = Rights(read=("*",), change=("U01ALICE",), accept=("U02BOB", "S01OPS"))
RECORD = RunRecord("k3fm9x2q", Migrate("kaditz"), "migrate kaditz", "U02BOB", "C01OPS", 0.0)


def actor(user: str, kind: Kind = "member", groups: frozenset[str] | None = frozenset()) -> Actor:
    return Actor(user, kind, groups)


@pytest.mark.parametrize(
    ("who", "right", "channel", "allowed"),
    [
        (actor("U01ALICE"), "change", "C01OPS", True),
        (actor("U01ALICE"), "accept", "C01OPS", False),
        (actor("U03CAROL"), "read", "C01OPS", True),
        (actor("U03CAROL"), "change", "C01OPS", False),
        (actor("U03CAROL", groups=frozenset({"S01OPS"})), "accept", "C01OPS", True),
        (actor("U03CAROL", groups=None), "accept", "C01OPS", False),
        (actor("U01ALICE"), "change", "C02DEV", False),
        (actor("U01ALICE"), "change", "D0DIRECT", False),
        (actor("U01ALICE", "guest"), "read", "C01OPS", False),
        (actor("U01ALICE", "deactivated"), "change", "C01OPS", False),
        (actor("U01ALICE", "bot"), "change", "C01OPS", False),
        (actor("U01ALICE", "stranger"), "change", "C01OPS", False),
        (actor("U03CAROL"), "", "C01OPS", True),
    ],
)
def test_who_may(who: Actor, right: Right, channel: str, allowed: bool) -> None:
    assert isinstance(authorize(RIGHTS, ("C01OPS",), who, right, channel), Allowed) is allowed


@pytest.mark.parametrize("right", ["read", "change", "accept"])
def test_nothing_is_open_unless_the_configuration_opens_it(right: Right) -> None:
    assert isinstance(authorize(Rights(), ("C01OPS",), actor("U01ALICE"), right, "C01OPS"), Denied)


@pytest.mark.parametrize(
    ("user", "verdict", "own", "allowed"),
    [
        ("U02BOB", "accept", False, False),
        ("U02BOB", "accept", True, True),
        ("U02BOB", "reject", False, True),
        ("U02BOB", "cancel", False, True),
        ("U02BOB", "continue", False, False),
        ("U01ALICE", "accept", True, False),
        ("U01ALICE", "continue", False, True),
        ("U03CAROL", "cancel", False, False),
    ],
)
def test_who_may_decide(user: str, verdict: Verdict, own: bool, allowed: bool) -> None:
    rights = RIGHTS.model_copy(update={"accept_own": own})
    assert isinstance(authorize_decision(rights, actor(user), RECORD, verdict), Allowed) is allowed


def test_help_knows_a_persons_rights() -> None:
    assert may(RIGHTS, actor("U01ALICE")) == {"read", "change", ""}
    assert may(RIGHTS, actor("U01ALICE", "guest")) == set()
