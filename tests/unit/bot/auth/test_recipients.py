"""Alerts mention the groups and a few users who can answer: never everyone, and no one who cannot."""

from dataclasses import replace
from typing import Any, get_args

import pytest

from bot.auth.permissions import is_valid_choice
from bot.auth.policy import Actor, Allowed, authorize_decision
from bot.auth.recipients import MAX_PEOPLE, limit_people, who_can_answer
from bot.auth.rights import Rights
from bot.records import Choice, Decision, RunRecord
from imker.protocol.commands import Migrate
from imker.protocol.events import DecisionRequested, Question
from imker.protocol.values import Candidate

ALICE, BOB, CAROL, OPS = "U01ALICE", "U02BOB", "U03CAROL", "C01OPS"
RECORD = RunRecord("k3fm9x2q", Migrate("lei-1"), "migrate lei-1", ALICE, OPS, 0.0)
MANY = tuple(f"U{number:02}" for number in range(10, 18))


def question(kind: Question) -> DecisionRequested:
    candidate = Candidate("lei-1", "j8xsy2yb802b", "198.18.0.39", "lei-1", "26.1.5") if kind == "accept" else None
    return DecisionRequested(kind, "f00d", candidate, host="lei-1")


def rule(**fields: Any) -> dict[str, Any]:
    return {"rule": [{"verbs": ["accept"], **fields}]}


@pytest.mark.parametrize(
    ("kind", "rights", "expected"),
    [
        ("accept", {"accept": [ALICE, BOB]}, (BOB,)),
        ("accept", {"accept": [ALICE, BOB], "accept_own": True}, (ALICE, BOB)),
        ("accept", {"accept": [CAROL, "S01OPS", BOB, "S02SRE"]}, ("S01OPS", "S02SRE", CAROL, BOB)),
        ("accept", {"accept": ["*"]}, ()),
        ("accept", {"accept": ["*", BOB, "S01OPS"]}, ("S01OPS",)),
        ("accept", {"accept": ["*"], "accept_own": True}, (ALICE,)),
        ("accept", {"accept": MANY}, MANY[:MAX_PEOPLE]),
        ("accept", {"change": [BOB]}, ()),
        ("accept", rule(who=[BOB], hosts=["lei-*"]), (BOB,)),
        ("accept", rule(who=[BOB], hosts=["tondi"]), ()),
        ("accept", rule(who=[BOB], channels=["C02DEV"]), ()),
        ("continue", {"change": [BOB, ALICE], "accept": [CAROL]}, (ALICE, BOB)),
        ("continue", {"change": [BOB], "rule": [{"who": [CAROL], "verbs": ["continue"]}]}, (BOB, CAROL)),
        ("continue", {"change": ["*"]}, (ALICE,)),
        ("resume", {"change": [*MANY, ALICE]}, (ALICE, *MANY[: MAX_PEOPLE - 1])),
        ("remove_store", {"change": [BOB, BOB]}, (BOB,)),
    ],
)
def test_names_who_can_answer(kind: Question, rights: dict[str, Any], expected: tuple[str, ...]) -> None:
    assert who_can_answer(Rights.model_validate(rights), RECORD, question(kind)) == expected


def test_leaves_out_who_has_approved() -> None:
    record = replace(RECORD, partial_approvals=(Decision(1, "accept", BOB, 0.0),))
    rights = Rights(accept=(BOB, CAROL), accept_count=2)
    assert who_can_answer(rights, record, question("accept")) == (CAROL,)


def test_those_who_cannot_answer_take_no_place_of_the_five() -> None:
    rights = Rights(change=(*MANY, ALICE, "S01OPS"))
    able = who_can_answer(rights, RECORD, question("continue"), lambda user: user not in MANY[:3])
    assert able == ("S01OPS", ALICE, *MANY[3:7])


def test_limits_people_but_no_groups() -> None:
    groups = tuple(f"S{number:02}" for number in range(10, 18))
    assert limit_people((*MANY, *groups, *MANY)) == (*groups, *MANY[:MAX_PEOPLE])


@pytest.mark.parametrize("kind", get_args(Question))
def test_every_user_who_is_named_may_answer(kind: Question) -> None:
    """The alert and the permission check agree, for each question."""
    rights = Rights(change=(ALICE, BOB), accept=(ALICE, CAROL), rule=())
    open_question = question(kind)
    approving = next(
        choice for choice in get_args(Choice) if choice != "cancel" and is_valid_choice(open_question, choice)
    )
    named = who_can_answer(rights, RECORD, open_question)
    assert named
    for user in (ALICE, BOB, CAROL):
        allowed = authorize_decision(rights, (OPS,), Actor(user, "member"), RECORD, open_question, approving)
        assert isinstance(allowed, Allowed) == (user in named)
