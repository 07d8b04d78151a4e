import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.auth.permissions import Permission
from bot.auth.policy import (
    RIGHT_OF_COMMAND,
    Actor,
    Allowed,
    Denied,
    Kind,
    allowed_commands,
    authorize,
    authorize_decision,
)
from bot.auth.rights import Rights, Rule
from bot.records import ALL_HOSTS, NO_HOST, Choice, RunRecord
from imker.protocol.commands import Command, Migrate, MigrateAll
from imker.protocol.events import DecisionRequested, Question
from imker.protocol.values import Candidate

RIGHTS = Rights(
    read=("*",),
    change=("U01ALICE",),
    accept=("U02BOB", "S01OPS"),
    rule=(
        Rule(who=("U05ERIN",), verbs=("plan", "migrate"), hosts=("lei-*",), channels=("C01OPS",)),
        Rule(who=("S02WEB",), verbs=("accept",), hosts=("web-?",)),
    ),
)
OPS = ("C01OPS", "C03WEB")


def actor(user: str, kind: Kind = "member", groups: frozenset[str] | None = frozenset()) -> Actor:
    return Actor(user, kind, groups)


WEB = actor("U03CAROL", groups=frozenset({"S02WEB"}))


@pytest.mark.parametrize(
    ("who", "verb", "host", "channel", "allowed"),
    [
        (actor("U01ALICE"), "migrate", "kaditz", "C01OPS", True),
        (actor("U01ALICE"), "migrate all", ALL_HOSTS, "C01OPS", True),
        (actor("U01ALICE"), "accept", "kaditz", "C01OPS", False),
        (actor("U03CAROL"), "nodes", ALL_HOSTS, "C01OPS", True),
        (actor("U03CAROL"), "migrate", "kaditz", "C01OPS", False),
        (actor("U03CAROL", groups=frozenset({"S01OPS"})), "accept", "kaditz", "C01OPS", True),
        (actor("U03CAROL", groups=frozenset({"S01OPS"})), "reject", "kaditz", "C01OPS", True),
        (actor("U03CAROL", groups=None), "accept", "kaditz", "C01OPS", False),
        (actor("U02BOB", groups=None), "accept", "kaditz", "C01OPS", True),
        (actor("U01ALICE"), "migrate", "kaditz", "C02DEV", False),
        (actor("U01ALICE"), "migrate", "kaditz", "D0DIRECT", False),
        (actor("U01ALICE", "guest"), "nodes", ALL_HOSTS, "C01OPS", False),
        (actor("U01ALICE", "deactivated"), "migrate", "kaditz", "C01OPS", False),
        (actor("U01ALICE", "bot"), "migrate", "kaditz", "C01OPS", False),
        (actor("U01ALICE", "external"), "migrate", "kaditz", "C01OPS", False),
        (actor("U03CAROL"), "help", NO_HOST, "C01OPS", True),
        (actor("U05ERIN"), "migrate", "lei-1", "C01OPS", True),
        (actor("U05ERIN"), "migrate", "dd-1", "C01OPS", False),
        (actor("U05ERIN"), "migrate", "lei-1", "C03WEB", False),
        (actor("U05ERIN"), "migrate all", ALL_HOSTS, "C01OPS", False),
        (actor("U05ERIN"), "retire", "lei-1", "C01OPS", False),
        (actor("U05ERIN"), "migrate", NO_HOST, "C01OPS", True),
        (WEB, "accept", "web-1", "C03WEB", True),
        (WEB, "accept", "web-12", "C03WEB", False),
        (WEB, "accept", ALL_HOSTS, "C03WEB", False),
    ],
)
def test_authorizes_a_command(who: Actor, verb: str, host: str, channel: str, allowed: bool) -> None:
    assert isinstance(authorize(RIGHTS, OPS, who, Permission(verb, host), channel), Allowed) is allowed


@pytest.mark.parametrize("verb", [name for name, right in RIGHT_OF_COMMAND.items() if right])
def test_denies_everything_that_the_configuration_does_not_grant(verb: str) -> None:
    for host in (NO_HOST, ALL_HOSTS, "kaditz"):
        assert isinstance(authorize(Rights(), OPS, actor("U01ALICE"), Permission(verb, host), "C01OPS"), Denied)


def test_a_one_character_pattern_does_not_cover_every_host() -> None:
    rights = Rights(rule=(Rule(who=("*",), verbs=("change",), hosts=("?", "?*", "**")),))
    assert isinstance(authorize(rights, OPS, actor("U01ALICE"), Permission("migrate all", ALL_HOSTS), "C01OPS"), Denied)


def test_a_denial_names_the_right_the_host_and_the_holders() -> None:
    answer = authorize(RIGHTS, OPS, actor("U03CAROL"), Permission("migrate", "lei-1"), "C01OPS")
    assert answer == Denied(
        "you don't have permission to migrate `lei-1` (requires `change`)",
        ("U01ALICE", "U05ERIN"),
        'requires the right "change" to migrate lei-1',
    )


@given(
    st.sampled_from(sorted(RIGHT_OF_COMMAND)),
    st.text("abl-i1*?", max_size=6),
    st.sampled_from(["C01OPS", "C03WEB", "C9"]),
)
def test_denies_everything_to_users_who_are_not_members(verb: str, host: str, channel: str) -> None:
    rights = Rights(read=("*",), change=("*",), accept=("*",))
    kinds: tuple[Kind, ...] = ("guest", "bot", "deactivated", "external", "unknown")
    for kind in kinds:
        assert isinstance(authorize(rights, OPS, actor("U01ALICE", kind), Permission(verb, host), channel), Denied)


def record(asker: str, command: Command | None = None) -> RunRecord:
    return RunRecord("k3fm9x2q", command or Migrate("kaditz"), "migrate kaditz", asker, "C01OPS", 0.0)


def asks(question: Question) -> DecisionRequested:
    candidate = Candidate("kaditz", "n", "198.18.0.39", "kaditz", "26") if question == "accept" else None
    return DecisionRequested(question, "f00d", candidate)


@pytest.mark.parametrize(
    ("user", "question", "verdict", "accept_own", "allowed"),
    [
        ("U02BOB", "accept", "accept", False, False),
        ("U02BOB", "accept", "accept", True, True),
        ("U02BOB", "accept", "reject", False, True),
        ("U02BOB", "accept", "again", False, True),
        ("U02BOB", "accept", "cancel", False, True),
        ("U02BOB", "continue", "continue", False, False),
        ("U01ALICE", "accept", "accept", True, False),
        ("U01ALICE", "continue", "continue", False, True),
        ("U01ALICE", "start_containers", "continue", False, True),
        ("U01ALICE", "remove_store", "continue", False, True),
        ("U05ERIN", "continue", "continue", False, False),
        ("U03CAROL", "continue", "cancel", False, False),
        ("U03CAROL", "accept", "again", False, False),
    ],
)
def test_authorizes_a_decision(user: str, question: Question, verdict: Choice, accept_own: bool, allowed: bool) -> None:
    rights = RIGHTS.model_copy(update={"accept_own": accept_own})
    answer = authorize_decision(rights, OPS, actor(user), record("U02BOB"), asks(question), verdict)
    assert isinstance(answer, Allowed) is allowed


@pytest.mark.parametrize(("user", "allowed"), [("U01ALICE", True), ("U05ERIN", False)])
def test_starting_a_fleet_requires_the_right_for_every_host(user: str, allowed: bool) -> None:
    answer = authorize_decision(
        RIGHTS, OPS, actor(user), record("U01ALICE", MigrateAll()), asks("start_fleet"), "start"
    )
    assert isinstance(answer, Allowed) is allowed


def test_lists_the_allowed_commands_with_their_hosts() -> None:
    alice = allowed_commands(RIGHTS, OPS, actor("U01ALICE"), "C01OPS")
    assert {"migrate", "migrate all", "nodes", "help"} <= set(alice)
    assert "accept" not in alice
    erin = allowed_commands(RIGHTS, OPS, actor("U05ERIN"), "C01OPS")
    assert erin["migrate"] == ("lei-*",)
    assert not {"migrate all", "retire", "accept"} & set(erin)
    assert allowed_commands(RIGHTS, OPS, actor("U01ALICE", "guest"), "C01OPS") == {}
    assert allowed_commands(RIGHTS, OPS, actor("U01ALICE"), "C02DEV") == {}
