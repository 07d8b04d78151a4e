"""Runs of users who are removed from imker.toml or leave the workspace are cancelled after the running step.

The real Reconciler, store, and policy, with simulated users. Each reconciler starts with its own configuration.
"""

from typing import Any

import pytest
from redis import Redis
from slack_sdk.errors import SlackApiError

from bot.handlers.audit import AuditRecorder
from bot.reconciler.alerts import Alerts
from bot.reconciler.audit_checkpoints import AuditCheckpoints
from bot.reconciler.loop import Reconciler
from bot.reconciler.orphaned_messages import OrphanedMessages
from bot.reconciler.publisher import Publisher
from bot.reconciler.revocation import RECHECK_AFTER, Revocation
from bot.settings import File
from imker.audit_log import AuditLog
from imker.protocol.commands import Migrate
from imker.protocol.events import DecisionRequested, FleetPlanned, JobFinished, JobStarted, StepStarted
from imker.protocol.values import HostPlan
from jobs.errors import Cancelled
from tests.support.bot_harness import (
    GROUPS,
    IDS,
    OPS,
    TEAM,
    TS,
    USER_PROFILES,
    FakeUsersApi,
    current_hold,
    parse_settings_file,
    settings_of,
)
from tests.unit.bot.runs.test_tampering import World

ALICE, BOB, CAROL = IDS["alice"], IDS["bob"], IDS["carol"]
FILE = """
[slack]
channels = ["C01OPS"]
[rights]
read = ["*"]
change = [{change}]
accept = ["U02BOB", "U01ALICE"]
accept_own = true
"""
PLAN = FleetPlanned(tuple(HostPlan(host, "worker", 3, wave, "") for wave, host in enumerate(("kaditz", "tondi"))))
LOST = 'no longer has permission (requires the right "change" to migrate'
FLEET_LOST = 'no longer has permission (requires the right "change" to use /swarm migrate all)'


def file(*change: str) -> File:
    return parse_settings_file(FILE.format(change=", ".join(f'"{who}"' for who in change)))


EVERYONE = file(ALICE, BOB, CAROL)


class Team(World):
    """Start a new reconciler with other rights or another Slack."""

    def restarts(self, change: tuple[str, ...], slack: FakeUsersApi | None = None) -> None:
        """The reconciler, with these in `change`."""
        self.directory = slack or FakeUsersApi()
        configuration = file(*change)
        settings = settings_of(configuration)
        self.revocation = Revocation(
            settings, self.directory, self.runs, AuditRecorder(AuditLog(self.redis)),  # type: ignore[arg-type]
            lambda: self.timestamp.unix, lambda: self.timestamp.boot_seconds,
        )  # fmt: skip
        witness = AuditCheckpoints(self.channel, AuditLog(self.redis), self.runs, OPS, lambda: self.timestamp.unix)  # type: ignore[arg-type]
        messages = Publisher(self.runs, self.channel, lambda: self.timestamp.boot_seconds)  # type: ignore[arg-type]
        orphans = OrphanedMessages(self.channel, self.runs, (), lambda: self.timestamp.unix)  # type: ignore[arg-type]
        self.reconciler = Reconciler(
            self.runs,
            messages,
            witness,
            orphans,
            Alerts(settings, self.channel, self.runs, lambda channel, user: True),  # type: ignore[arg-type]
            lambda: self.timestamp.unix,
            stop_if_revoked=self.revocation.stop_if_revoked,
        )

    def fleet(self, starter: str) -> str:
        """Planned, and started by that person."""
        self.types("alice", "migrate all")
        (run,) = self.runs.open_runs()
        self.runs.posted_messages.update(run, ts=TS)
        self.emit(run, JobStarted(), PLAN, DecisionRequested("start_fleet", "f00d"))
        self.clicks(starter, f"{run}:1", "start")
        return run

    def moved(self) -> list[str]:
        """The hosts whose migration was begun."""
        commands = (request.command for request in self.enqueued_requests().values())
        return sorted(command.host for command in commands if isinstance(command, Migrate))


@pytest.fixture
def team(redis: Redis) -> Team:
    return Team(redis, EVERYONE)


@pytest.mark.parametrize(
    "events", [(), (JobStarted("kaditz"), StepStarted("UpgradeEngine"))], ids=["queued", "running"]
)
def test_cancels_a_run_after_its_step_when_the_requester_loses_the_right(team: Team, events: tuple[Any, ...]) -> None:
    team.types("alice", "migrate kaditz")
    (run,) = team.runs.open_runs()
    team.emit(run, *events)
    team.restarts((ALICE, BOB))
    team.look()
    assert current_hold(team.runs, run) is None, "it continues while the requester has the right"
    team.restarts((BOB,))
    team.look()
    hold = current_hold(team.runs, run)
    assert hold
    assert (hold.action, hold.user) == ("cancel", "")
    assert hold.why.startswith("the user who requested it " + LOST)
    facts = [fact for fact in team.audit_facts() if fact.kind == "held"]
    assert [(fact.user, fact.run, fact.details["verdict"]) for fact in facts] == [("", run, "cancel")]
    stopped = Cancelled(hold.user, hold.why)
    team.emit(run, JobFinished("cancelled", stopped.summary, "Not done: Join the swarm.", user=stopped.user))
    team.look()
    last = team.channel.posts[run][-1]
    assert "cancelled: the user who requested it no longer has permission" in last
    assert f"/swarm retry {run}" in last
    assert team.runs.open_runs() == []


def test_cancels_a_run_once(team: Team) -> None:
    team.types("alice", "migrate kaditz")
    team.restarts((BOB,))
    for _ in range(3):
        team.look()
    (run,) = team.runs.open_runs()
    assert team.redis.zcard(f"run:{run}:hold") == 1


@pytest.mark.parametrize("question", ["continue", "resume"])
def test_cancels_a_waiting_run_of_a_requester_without_the_right(team: Team, question: Any) -> None:
    team.types("alice", "migrate kaditz")
    (run,) = team.runs.open_runs()
    team.runs.posted_messages.update(run, ts=TS)
    team.emit(run, JobStarted("kaditz"), DecisionRequested(question, "f00d"))
    team.restarts((BOB,))
    team.look()
    team.look()
    assert "Cancelled at" in team.channel.posts[TS][-1]
    assert "the user who requested it no longer has permission" in team.channel.posts[TS][-1]
    team.clicks("bob", f"{run}:1", "continue")
    assert len(team.enqueued_requests()) == 1


@pytest.mark.parametrize("question", ["accept", "start_containers", "stop_store", "remove_store"])
def test_keeps_questions_that_others_decide_after_the_host_has_joined(team: Team, question: Any) -> None:
    """The host has joined; the user who decides the question is responsible for it."""
    run = team.create_run("pending" if question == "accept" else "stop")
    if question in ("start_containers", "remove_store"):
        team.emit(run, DecisionRequested(question, "f00d", host="kaditz"))
    team.restarts((BOB,))
    team.look()
    assert current_hold(team.runs, run) is None
    assert team.decision_keys() == set()
    team.clicks("bob", f"{run}:1", "accept" if question == "accept" else "continue")
    team.emit(run, JobStarted("kaditz"), job=2)
    team.look()
    assert f"{run}-2" in team.enqueued_requests()
    assert current_hold(team.runs, run) is None


def test_cancels_a_run_whose_approver_loses_the_right(team: Team) -> None:
    run = team.create_run("pending")
    team.clicks("bob", f"{run}:1", "accept")
    team.emit(run, JobStarted("kaditz"), job=2)
    team.restarts((ALICE,))
    team.look()
    assert current_hold(team.runs, run) is None
    gone = {**USER_PROFILES, BOB: {"deleted": True}}
    slack = FakeUsersApi()
    slack.users_info = lambda user: {"user": {"id": user, "team_id": TEAM, **gone.get(user, {})}}  # type: ignore[method-assign]
    team.restarts((ALICE,), slack)
    team.look()
    hold = current_hold(team.runs, run)
    assert hold
    expected = "the user who accepted it no longer has permission (deactivated accounts can't use Imker)"
    assert hold.why == expected


@pytest.mark.parametrize(
    ("change", "who"),
    [((BOB,), "requested"), ((ALICE,), "started"), ((CAROL,), "requested")],
    ids=["requester", "starter", "both"],
)
def test_starts_no_further_host_of_a_revoked_fleet(team: Team, change: tuple[str, ...], who: str) -> None:
    run = team.fleet("bob")
    team.restarts((ALICE, BOB))
    team.look()
    assert team.moved() == ["kaditz"]
    (leg,) = (name.removesuffix("-1") for name in team.enqueued_requests() if not name.startswith(run))
    team.emit(leg, JobStarted("kaditz"))
    team.restarts(change)
    team.look()
    hold = current_hold(team.runs, run)
    assert hold, "kaditz stops after its step: its job reads the hold of the fleet"
    assert hold.action == "cancel"
    team.emit(leg, JobFinished("done", "kaditz is in the swarm."))
    for _ in range(3):
        team.look()
    assert team.moved() == ["kaditz"]
    last = team.channel.posts[TS][-1]
    assert f"cancelled: the user who {who} it {FLEET_LOST}" in last.replace("\u200a", "")
    assert "In the swarm: kaditz. Not started: tondi." in last
    assert run not in team.runs.open_runs()


def test_does_not_start_the_first_host_of_a_revoked_fleet(team: Team) -> None:
    team.fleet("bob")
    team.restarts((ALICE,))
    team.look()
    team.look()
    assert team.moved() == []


def test_does_not_cancel_a_fleet_whose_hosts_have_all_joined(team: Team) -> None:
    run = team.fleet("bob")
    team.restarts((ALICE, BOB))
    for host in ("kaditz", "tondi"):
        team.look()
        (leg,) = {name.removesuffix("-1") for name in team.enqueued_requests() if not name.startswith(run)} & set(
            team.runs.open_runs()
        )
        team.emit(leg, JobStarted(host), JobFinished("done", f"{host} is in the swarm."))
    team.restarts(())
    team.look()
    assert current_hold(team.runs, run) is None
    assert "2 hosts migrated" in team.channel.posts[TS][-1]


class Silent(FakeUsersApi):
    """A Slack client that does not return groups or users, and counts the requests."""

    def __init__(self, what: str) -> None:
        super().__init__(groups=dict(GROUPS))
        self.silent, self.request_count, self.team_id = what, 0, TEAM

    def usergroups_users_list(self, usergroup: str) -> dict[str, Any]:
        self.request_count += 1
        if self.silent == "groups":
            raise SlackApiError("no", {"ok": False, "error": "internal_error"})
        return super().usergroups_users_list(usergroup)

    def users_info(self, user: str) -> dict[str, Any]:
        if self.silent == "people":
            self.request_count += 1
            raise SlackApiError("no", {"ok": False, "error": "internal_error"})
        return super().users_info(user)


@pytest.mark.parametrize("what", ["groups", "people"])
def test_continues_a_run_while_slack_cannot_return_the_user(team: Team, what: str) -> None:
    """Later it returns that the user has left the group."""
    team.types("alice", "migrate kaditz")
    (run,) = team.runs.open_runs()
    slack = Silent(what)
    team.restarts(("S01STAFF",), slack)
    for _ in range(20):
        team.look(RECHECK_AFTER / 10)
    assert current_hold(team.runs, run) is None
    assert 1 <= slack.request_count <= 4, "not every pass asks Slack"
    slack.silent = ""
    team.look(2 * RECHECK_AFTER)
    assert current_hold(team.runs, run) is None, "the user is still in the group"
    assert slack.groups
    slack.groups["S01STAFF"] = [BOB]
    team.look(2 * RECHECK_AFTER)
    team.look(2 * RECHECK_AFTER)
    hold = current_hold(team.runs, run)
    assert hold
    assert hold.action == "cancel"


@pytest.mark.parametrize("command", ["hosts", "plan kaditz", "nodes", "doctor"])
def test_does_not_cancel_a_run_that_only_reads(team: Team, command: str) -> None:
    team.types("alice", command)
    team.restarts(())
    team.look()
    (run,) = team.runs.open_runs()
    assert current_hold(team.runs, run) is None


def test_cancels_a_run_even_if_the_audit_log_cannot_be_written(team: Team) -> None:
    team.types("alice", "migrate kaditz")
    (run,) = team.runs.open_runs()
    team.redis.hset("audit:head", mapping={"seq": "7", "hash": "f" * 64})
    team.redis.xadd("audit", {"entry": "x"}, id="9-0")
    team.restarts((BOB,))
    team.look()
    assert current_hold(team.runs, run)
