"""Who is taken out of imker.toml, or leaves, has what they began stopped: after the running step, and said in words.

The real Reconciler, Runs and policy, with simulated people; each reconciler is started with a configuration of its own.
"""

from typing import Any

import pytest
from redis import Redis
from slack_sdk.errors import SlackApiError

from bot.handlers.audit import AuditRecorder
from bot.reconciler.audit_checkpoints import AuditCheckpoints
from bot.reconciler.loop import Reconciler
from bot.reconciler.orphaned_messages import OrphanedMessages
from bot.reconciler.publisher import Publisher
from bot.reconciler.revocation import RECHECK_AFTER, Revocation
from bot.settings import File, Settings
from imker.audit_log import AuditLog
from imker.protocol.commands import Migrate
from imker.protocol.events import DecisionRequested, FleetPlanned, JobFinished, JobStarted, StepStarted
from imker.protocol.values import HostPlan
from jobs.errors import Cancelled
from tests.support.bot_harness import GROUPS, IDS, OPS, TEAM, TS, USER_PROFILES, FakeUsersApi, parse_settings_file
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
LOST = "no longer has the right (it takes the right `change` to migrate"


def file(*change: str) -> File:
    return parse_settings_file(FILE.format(change=", ".join(f'"{who}"' for who in change)))


EVERYONE = file(ALICE, BOB, CAROL)


class Team(World):
    """A reconciler that is started again, with other rights or another Slack."""

    def restarts(self, change: tuple[str, ...], slack: FakeUsersApi | None = None) -> None:
        """The reconciler, with these in `change`."""
        self.directory = slack or FakeUsersApi()
        told = file(*change)
        own = Settings(
            bot_token=None, app_token=None, api_url="", redis_url=None,  # type: ignore[arg-type]
            channels=told.slack.channels, rights=told.rights, team=TEAM,
        )  # fmt: skip
        self.revocation = Revocation(
            own, self.directory, self.runs, AuditRecorder(AuditLog(self.redis)),  # type: ignore[arg-type]
            lambda: self.timestamp.unix, lambda: self.timestamp.boot_seconds,
        )  # fmt: skip
        witness = AuditCheckpoints(self.channel, AuditLog(self.redis), self.runs, OPS, lambda: self.timestamp.unix)  # type: ignore[arg-type]
        messages = Publisher(self.runs, self.channel, lambda: self.timestamp.boot_seconds)  # type: ignore[arg-type]
        past = OrphanedMessages(self.channel, self.runs, (), lambda: self.timestamp.unix)  # type: ignore[arg-type]
        self.reconciler = Reconciler(
            self.runs, messages, witness, past, lambda: self.timestamp.unix, stops=self.revocation.stop_if_revoked
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
def test_a_run_stops_after_its_step_when_its_requester_is_taken_out(team: Team, events: tuple[Any, ...]) -> None:
    team.types("alice", "migrate kaditz")
    (run,) = team.runs.open_runs()
    team.emit(run, *events)
    team.restarts((ALICE, BOB))
    team.look()
    assert team.runs.current_hold(run) is None, "while the right is there it goes on"
    team.restarts((BOB,))
    team.look()
    held = team.runs.current_hold(run)
    assert held
    assert (held.action, held.user) == ("cancel", "")
    assert held.why.startswith("the person who asked for it " + LOST)
    said = [fact for fact in team.audit_facts() if fact.kind == "held"]
    assert [(fact.user, fact.run, fact.details["verdict"]) for fact in said] == [("", run, "cancel")]
    stopped = Cancelled(held.user, held.why)
    team.emit(run, JobFinished("cancelled", stopped.summary, "Not done: Join the swarm.", user=stopped.user))
    team.look()
    last = team.channel.posts[run][-1]
    assert "cancelled: the person who asked for it no longer has the right" in last
    assert f"/swarm retry {run}" in last
    assert team.runs.open_runs() == []


def test_it_is_said_once(team: Team) -> None:
    team.types("alice", "migrate kaditz")
    team.restarts((BOB,))
    for _ in range(3):
        team.look()
    (run,) = team.runs.open_runs()
    assert team.redis.zcard(f"run:{run}:hold") == 1


@pytest.mark.parametrize("question", ["continue", "resume"])
def test_nobody_can_go_on_with_what_somebody_asked_who_is_gone(team: Team, question: Any) -> None:
    team.types("alice", "migrate kaditz")
    (run,) = team.runs.open_runs()
    team.runs.posted_messages.update(run, ts=TS)
    team.emit(run, JobStarted("kaditz"), DecisionRequested(question, "f00d"))
    team.restarts((BOB,))
    team.look()
    team.look()
    assert "Cancelled at" in team.channel.posts[TS][-1]
    assert "the person who asked for it no longer has the right" in team.channel.posts[TS][-1]
    team.clicks("bob", f"{run}:1", "continue")
    assert len(team.enqueued_requests()) == 1


@pytest.mark.parametrize("question", ["accept", "start_containers", "stop_store", "remove_store"])
def test_what_waits_for_somebody_elses_decision_still_does(team: Team, question: Any) -> None:
    """The host is in the swarm; what comes of it is on who answers."""
    run = team.create_run("pending" if question == "accept" else "stop")
    if question in ("start_containers", "remove_store"):
        team.emit(run, DecisionRequested(question, "f00d", host="kaditz"))
    team.restarts((BOB,))
    team.look()
    assert team.runs.current_hold(run) is None
    assert team.decision_keys() == set()
    team.clicks("bob", f"{run}:1", "accept" if question == "accept" else "continue")
    team.emit(run, JobStarted("kaditz"), job=2)
    team.look()
    assert f"{run}-2" in team.enqueued_requests()
    assert team.runs.current_hold(run) is None


def test_what_somebody_accepted_who_is_gone_stops(team: Team) -> None:
    run = team.create_run("pending")
    team.clicks("bob", f"{run}:1", "accept")
    team.emit(run, JobStarted("kaditz"), job=2)
    team.restarts((ALICE,))
    team.look()
    assert team.runs.current_hold(run) is None
    gone = {**USER_PROFILES, BOB: {"deleted": True}}
    slack = FakeUsersApi()
    slack.users_info = lambda user: {"user": {"id": user, "team_id": TEAM, **gone.get(user, {})}}  # type: ignore[method-assign]
    team.restarts((ALICE,), slack)
    team.look()
    held = team.runs.current_hold(run)
    assert held
    expected = "the person who accepted it no longer has the right (deactivated accounts may not use it)"
    assert held.why == expected


@pytest.mark.parametrize(
    ("change", "who"),
    [((BOB,), "asked for"), ((ALICE,), "started"), ((CAROL,), "asked for")],
    ids=["asker", "starter", "both"],
)
def test_no_further_host_of_a_fleet_begins(team: Team, change: tuple[str, ...], who: str) -> None:
    run = team.fleet("bob")
    team.restarts((ALICE, BOB))
    team.look()
    assert team.moved() == ["kaditz"]
    (leg,) = (name.removesuffix("-1") for name in team.enqueued_requests() if not name.startswith(run))
    team.emit(leg, JobStarted("kaditz"))
    team.restarts(change)
    team.look()
    held = team.runs.current_hold(run)
    assert held, "kaditz stops after its step: its job looks at the fleet's hold"
    assert held.action == "cancel"
    team.emit(leg, JobFinished("done", "kaditz is in the swarm."))
    for _ in range(3):
        team.look()
    assert team.moved() == ["kaditz"]
    last = team.channel.posts[TS][-1]
    assert f"cancelled: the person who {who} it {LOST}" in last.replace("\u200a", "")
    assert "In the swarm: kaditz. Not started: tondi." in last
    assert run not in team.runs.open_runs()


def test_the_first_host_does_not_begin_either(team: Team) -> None:
    team.fleet("bob")
    team.restarts((ALICE,))
    team.look()
    team.look()
    assert team.moved() == []


def test_a_fleet_whose_hosts_are_all_in_the_swarm_is_not_cancelled(team: Team) -> None:
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
    assert team.runs.current_hold(run) is None
    assert "2 hosts migrated" in team.channel.posts[TS][-1]


class Silent(FakeUsersApi):
    """Does not say who is in the groups, or who somebody is; counts how often it is asked."""

    def __init__(self, what: str) -> None:
        super().__init__(groups=dict(GROUPS))
        self.silent, self.asked, self.team_id = what, 0, TEAM

    def usergroups_users_list(self, usergroup: str) -> dict[str, Any]:
        self.asked += 1
        if self.silent == "groups":
            raise SlackApiError("no", {"ok": False, "error": "internal_error"})
        return super().usergroups_users_list(usergroup)

    def users_info(self, user: str) -> dict[str, Any]:
        if self.silent == "people":
            self.asked += 1
            raise SlackApiError("no", {"ok": False, "error": "internal_error"})
        return super().users_info(user)


@pytest.mark.parametrize("what", ["groups", "people"])
def test_while_slack_does_not_say_who_somebody_is_the_run_goes_on(team: Team, what: str) -> None:
    """Then it says that they left the group."""
    team.types("alice", "migrate kaditz")
    (run,) = team.runs.open_runs()
    slack = Silent(what)
    team.restarts(("S01STAFF",), slack)
    for _ in range(20):
        team.look(RECHECK_AFTER / 10)
    assert team.runs.current_hold(run) is None
    assert 1 <= slack.asked <= 4, "Slack is not asked at each look"
    slack.silent = ""
    team.look(2 * RECHECK_AFTER)
    assert team.runs.current_hold(run) is None, "she is in the group"
    assert slack.groups
    slack.groups["S01STAFF"] = [BOB]
    team.look(2 * RECHECK_AFTER)
    team.look(2 * RECHECK_AFTER)
    held = team.runs.current_hold(run)
    assert held
    assert held.action == "cancel"


@pytest.mark.parametrize("typed", ["hosts", "plan kaditz", "nodes", "doctor"])
def test_what_only_reads_is_left_to_end(team: Team, typed: str) -> None:
    team.types("alice", typed)
    team.restarts(())
    team.look()
    (run,) = team.runs.open_runs()
    assert team.runs.current_hold(run) is None


def test_a_record_that_takes_nothing_keeps_no_run_from_being_stopped(team: Team) -> None:
    team.types("alice", "migrate kaditz")
    (run,) = team.runs.open_runs()
    team.redis.hset("audit:head", mapping={"seq": "7", "hash": "f" * 64})
    team.redis.xadd("audit", {"entry": "x"}, id="9-0")
    team.restarts((BOB,))
    team.look()
    assert team.runs.current_hold(run)
