"""Rights on services: by pattern, each name must be covered, and a rule without `services` changes none."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.auth.permissions import Permission, permission_to_decide
from bot.auth.policy import Actor, Allowed, Denied, allowed_commands, authorize, authorize_decision
from bot.auth.rights import Rights, Rule
from bot.records import Decision, RunRecord
from bot.state.next_request import next_request
from imker.protocol.events import DecisionRequested
from imker.protocol.service_commands import ScaleServices, ScaleTarget

OPS, USER, OTHER = "C01OPS", Actor("U01ALICE", "member"), Actor("U02BOB", "member")
SERVICE_COMMANDS = ("services", "service", "create", "scale", "restart", "rollback")
names = st.text("ab_", min_size=1, max_size=4)
patterns = st.text("ab_*", min_size=1, max_size=4)


def rights(*rules: Rule, **lists: tuple[str, ...]) -> Rights:
    return Rights(rule=rules, **lists)


def rule(*verbs: str, who: Actor = USER, **fields: tuple[str, ...]) -> Rule:
    return Rule(who=(who.user,), verbs=verbs, **fields)


def may(given_rights: Rights, command: str, *services: str, actor: Actor = USER) -> Allowed | Denied:
    return authorize(given_rights, (OPS,), actor, Permission(command, services=services), OPS)


@pytest.mark.parametrize("command", SERVICE_COMMANDS)
def test_nobody_has_a_right_by_default(command: str) -> None:
    assert isinstance(may(rights(), command, "web"), Denied)
    assert isinstance(may(rights(), command), Denied)


@pytest.mark.parametrize("hosts", [("*",), ("lei-*",)])
def test_a_rule_without_services_changes_none(hosts: tuple[str, ...]) -> None:
    given_rights = rights(rule("change", "create", "scale", "restart", "rollback", hosts=hosts))
    for command in ("create", "scale", "restart", "rollback"):
        assert isinstance(may(given_rights, command, "web"), Denied)
        assert isinstance(may(given_rights, command), Denied)


def test_who_may_read_on_every_host_may_read_every_service() -> None:
    assert may(rights(rule("read")), "services") == Allowed(services=("*",))
    assert may(rights(rule("read", hosts=("*",))), "service", "web") == Allowed(services=("*",))
    assert isinstance(may(rights(rule("read", hosts=("lei-*",))), "services"), Denied)


def test_a_rule_with_services_alone_covers_no_host() -> None:
    given_rights = rights(rule("read", "change", services=("web_*",)))
    assert given_rights.rule[0].hosts == ()
    for command, host in itertools.product(("migrate", "plan", "nodes", "accept"), ("kaditz", "*", "")):
        checked = authorize(given_rights, (OPS,), USER, Permission(command, host), OPS)
        assert isinstance(checked, Denied) or (host == "" and checked.hosts == ())


def test_the_lists_cover_every_service() -> None:
    given_rights = rights(read=(USER.user,), change=(USER.user,))
    assert all(isinstance(may(given_rights, command, "web"), Allowed) for command in SERVICE_COMMANDS)


def test_each_name_must_be_covered_but_by_any_rule() -> None:
    given_rights = rights(rule("scale", services=("web_*",)), rule("scale", services=("api",)))
    assert may(given_rights, "scale", "web_a", "api") == Allowed(services=("web_*", "api"))
    denied = may(given_rights, "scale", "web_a", "db")
    assert isinstance(denied, Denied)
    assert "on service `db`" in denied.reason


def test_all_services_are_covered_only_by_the_pattern_for_all() -> None:
    for pattern in ("?", "web_*", "**x"):
        assert isinstance(may(rights(rule("read", services=(pattern,))), "status", "*"), Denied)
    assert isinstance(may(rights(rule("read", services=("*",))), "status", "*"), Allowed)


@given(st.lists(patterns, max_size=3), st.lists(names, min_size=1, max_size=3))
def test_a_permission_on_more_services_is_never_easier(given_patterns: list[str], services: list[str]) -> None:
    given_rights = rights(rule("scale", services=tuple(given_patterns)))
    together = isinstance(may(given_rights, "scale", *services), Allowed)
    assert together == all(isinstance(may(given_rights, "scale", name), Allowed) for name in services)


def test_a_question_is_answered_by_who_may_change_the_services_that_it_names() -> None:
    given_rights = rights(rule("scale", who=OTHER, services=("shop_*",)))
    record = RunRecord("r", ScaleServices((ScaleTarget("web", 0),)), "scale web=0", USER.user, OPS, 0.0)
    for services, expected in ((("shop_web",), Allowed), (("blog_web",), Denied), (("shop_web", "blog_web"), Denied)):
        question = DecisionRequested("start", "f", services=services)
        checked = authorize_decision(given_rights, (OPS,), OTHER, record, question, "continue")
        assert isinstance(checked, expected)
        assert permission_to_decide(record, question, "continue").host == ""


def test_the_next_job_may_change_only_the_services_of_its_question() -> None:
    record = RunRecord(
        "r", ScaleServices((ScaleTarget("web", 0),)), "scale web=0", USER.user, OPS, 0.0, job_count=2,
        decisions=(_decision(),), allowed_hosts=("*",), allowed_services=("*",),
    )  # fmt: skip
    request = next_request(record, DecisionRequested("start", "f", services=("shop_web",)))
    assert (request.allowed_hosts, request.allowed_services) == ((), ("shop_web",))


def test_the_help_names_the_services_of_a_rule() -> None:
    allowed = allowed_commands(rights(rule("read", "change", services=("web_*",))), (OPS,), USER, OPS)
    assert {name: allowed[name] for name in SERVICE_COMMANDS} == dict.fromkeys(SERVICE_COMMANDS, ("web_*",))
    assert "migrate" not in {name for name, covered in allowed.items() if covered}


def _decision() -> Decision:

    return Decision(1, "continue", OTHER.user, 1.0, "f")
