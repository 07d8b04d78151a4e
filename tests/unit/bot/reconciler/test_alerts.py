"""A question makes one new message with a mention, at most one reminder, and both are closed by the answer.

Real reconcilers publish to the lab's Slack, with a real Redis. The clock starts at the present and is set by the test.
"""

import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
import yaml
from redis import Redis
from slack_sdk import WebClient
from slack_sdk.http_retry import RetryHandler

from bot.reconciler.alerts import Alerts
from bot.reconciler.audit_checkpoints import AuditCheckpoints
from bot.reconciler.backoff import Backoff
from bot.reconciler.loop import Reconciler
from bot.reconciler.orphaned_messages import OrphanedMessages
from bot.reconciler.publisher import Publisher
from bot.records import PAST_TENSE, Choice, Decision, RunRecord
from bot.runs.store import RunStore
from bot.settings import Notify
from bot.slack.users import UserDirectory
from imker import failpoints
from imker.audit_log import AuditLog
from imker.clock import Timestamp
from imker.failpoints import Failpoint
from imker.protocol.commands import Command, Migrate, MigrateAll
from imker.protocol.events import (
    DecisionRequested,
    EventBody,
    FleetPlanned,
    JobFinished,
    JobStarted,
    Planned,
    Question,
    StepDone,
    StepStarted,
)
from imker.protocol.run_id import host_run_id
from imker.protocol.values import Candidate, HostPlan, Quorum, StepLine
from jobs.events.writer import EventWriter
from lab.slack.client import VisibleMessage, Workspace
from lab.slack.server_process import run_fake_slack
from lab.slack.state import DEFAULT_CONFIG
from tests.support.bot_harness import TEAM, parse_settings_file, settings_of
from tests.support.streams import KEY

ALICE, BOB, CAROL, OPS = "U01ALICE", "U02BOB", "U03CAROL", "C01OPS"
TONDI = Migrate("tondi")
WITHIN = 1800.0  # seconds in which a manager can be accepted
RIGHTS = """
[slack]
channels = ["C01OPS"]
[rights]
change = ["U01ALICE", "U03CAROL"]
accept = ["U01ALICE", "U02BOB"]
"""
DONE, FAILED = JobFinished("done", "tondi is in the swarm."), JobFinished("failed", "apt-get install failed")


class Killed(BaseException):
    """Stands for SIGKILL."""


@dataclass
class World:
    workspace: Workspace
    redis: Redis
    rights: str = RIGHTS
    notify: Notify = "channel"
    now: float = field(default_factory=time.time)

    def __post_init__(self) -> None:
        client = f"{self.workspace.url}/api/"
        self.client = WebClient(token="xoxb-lab", base_url=client, retry_handlers=list[RetryHandler]())
        self.runs = RunStore(self.redis, lambda: self.now, KEY, self.timestamp)
        self.before = len(self.workspace.visible_messages(ALICE, OPS))
        self.notified = {user: len(self.workspace.notifications(user)) for user in (ALICE, BOB, CAROL)}
        self.restart()

    def timestamp(self) -> Timestamp:
        return Timestamp(self.now, "boot", self.now)

    def restart(self) -> None:
        """Replace the reconciler with one that has just been started, and so remembers nothing."""
        settings = settings_of(parse_settings_file(self.rights), self.notify)
        self.reconciler = Reconciler(
            self.runs,
            Publisher(self.runs, self.client, lambda: self.now),
            AuditCheckpoints(self.client, AuditLog(self.redis), self.runs, OPS, lambda: self.now),
            OrphanedMessages(self.client, self.runs, (OPS,), lambda: self.now),
            Alerts(settings, self.client, self.runs, self.can_answer),
            lambda: self.now,
            Backoff(lambda: self.now),
        )

    def can_answer(self, channel: str, user: str) -> bool:
        return UserDirectory(self.client, ()).can_answer(channel, user, TEAM)

    def look(self, seconds: float = 6.0) -> None:
        """Reconcile every two seconds, or less often over a long time."""
        for _ in range(max(1, min(20, int(seconds / 2)))):
            self.reconciler.reconcile_all()
            self.now += seconds / max(1, min(20, int(seconds / 2)))
        self.reconciler.reconcile_all()

    def start(self, run: str, *bodies: EventBody, command: Command = TONDI) -> RunRecord:
        record = RunRecord(run, command, command.text, ALICE, OPS, self.now, allowed_hosts=("*",))
        self.runs.start(record)
        self.emit(run, JobStarted(), *bodies)
        return record

    def emit(self, run: str, *bodies: EventBody, job: int = 1) -> None:
        journal = EventWriter(self.redis, KEY, run, job, lambda: self.now)
        for body in bodies:
            journal.emit(body)

    def question(self, host: str = "tondi", approvals: int = 1) -> DecisionRequested:
        candidate = Candidate(host, "j8xsy2yb802b5ys0uvwhsouw1", "198.18.0.39", host, "26.1.5")
        return DecisionRequested(
            "accept", "f00d", candidate, Quorum(2, 0, 3, 1), host=host, required_approvals=approvals,
            asked_at=self.timestamp(), valid_seconds=WITHIN,
        )  # fmt: skip

    def decide(self, run: str, choice: Choice = "accept", user: str = BOB, job: int = 1, needed: int = 1) -> None:
        record = self.runs.record(run)
        assert record
        self.runs.decide(record, Decision(job, choice, user, self.now, "f00d"), needed)

    def alerts(self, channel: str = OPS, user: str = ALICE) -> list[VisibleMessage]:
        """Return the alerts of this test: messages that start with their marks, in threads or direct messages."""
        messages = self.workspace.visible_messages(user, channel)[self.before if channel == OPS else 0 :]
        marks = ("✋", "⏰", "✅", "🚫", "⌛", "❓", "❌")
        is_reply = [message for message in messages if message.thread_ts or channel != OPS]
        return [message for message in is_reply if message.plain_text.startswith(marks)]

    def texts(self, channel: str = OPS, user: str = ALICE) -> list[str]:
        return [message.plain_text for message in self.alerts(channel, user)]

    def mentions(self, user: str) -> list[str]:
        """Return the alerts that this user was notified of."""
        alerts = {message.ts for message in self.alerts()}
        news = self.workspace.notifications(user)[self.notified[user] :]
        return [each["text"] for each in news if each["ts"] in alerts or each["reason"] == "direct"]


@pytest.fixture(scope="module")
def workspace() -> Iterator[Workspace]:
    with run_fake_slack() as started:
        yield started


@pytest.fixture
def world(workspace: Workspace, redis: Redis) -> Iterator[World]:
    yield World(workspace, redis)
    workspace.clear_faults()


# --- questions -------------------------------------------------------------------------------------------------------


def test_a_question_alerts_who_can_answer_once(world: World) -> None:
    world.start("aaaaaaa2", world.question())
    world.look(60)
    (alert,) = world.alerts()
    assert alert.raw["subtype"] == "thread_broadcast"
    assert alert.text.startswith("✋ <@U02BOB>: `tondi` is waiting to be accepted as a manager. Answer by <!date^")
    link = world.runs.posted_messages.get("aaaaaaa2")["link"]
    assert alert.text.endswith(f" <{link}|Open>")
    assert (len(world.mentions(BOB)), world.mentions(ALICE), world.mentions(CAROL)) == (1, [], [])


@pytest.mark.parametrize("question", ["continue", "start"])
def test_mentions_no_one_who_cannot_answer(world: World, question: Question) -> None:
    """The first five users are a guest, a deactivated account, a stranger, a bot, and no user of this workspace."""
    others = '"U04GUEST", "U05GONE", "U06OTHER", "U00IMKER", "U07NONE", "S01OPS"'
    world.rights = RIGHTS.replace("change = [", f"change = [{others}, ")
    world.restart()
    world.start("aaaaabg2", DecisionRequested(question, "f00d", host="tondi"))
    world.look()
    (alert,) = world.alerts()
    assert alert.text.startswith("✋ <!subteam^S01OPS> <@U01ALICE> <@U03CAROL>: The plan for `tondi`")


@pytest.mark.parametrize("reconciler", ["same", "restarted"])
def test_an_answer_closes_the_alert_and_alerts_no_one_again(world: World, reconciler: str) -> None:
    world.start("aaaaaab2", world.question())
    world.look()
    world.decide("aaaaaab2")
    world.emit("aaaaaab2", JobStarted(), job=2)
    if reconciler == "restarted":
        world.restart()
    world.look()
    (text,) = world.texts()
    assert text.startswith("✅ `tondi`: accepted by <@U02BOB> at <!date^")
    assert len(world.mentions(BOB)) == 1


@pytest.mark.parametrize("choice", ["accept", "reject", "cancel"])
def test_sends_one_reminder_and_closes_both(world: World, choice: Choice) -> None:
    world.start("aaaaaac2", world.question())
    world.look(WITHIN * 2 / 3 - 60)
    assert len(world.alerts()) == 1
    world.look(120)
    world.restart()
    world.look(300)
    alert, reminder = world.texts()
    assert reminder.startswith("⏰ <@U02BOB>: Reminder: `tondi` is waiting to be accepted as a manager.")
    assert len(world.mentions(BOB)) == 2
    world.decide("aaaaaac2", choice)
    world.look()
    alert, reminder, *end = world.texts()
    mark = "✅" if choice == "accept" else "🚫"
    assert reminder == alert.replace(" ", " Reminder closed. ", 1)
    assert alert.startswith(f"{mark} `tondi`: {PAST_TENSE[choice]} by <@U02BOB>")
    assert len(end) == (choice == "cancel"), "the requester hears that someone else cancelled the run"
    assert len(world.mentions(BOB)) == 2


def test_an_expired_question_closes_alert_and_reminder(world: World) -> None:
    world.start("aaaaaad2", world.question())
    world.look(WITHIN - 60)
    world.look(180)
    alert, reminder = world.texts()
    assert reminder == alert.replace(" ", " Reminder closed. ", 1)
    assert alert.startswith("⌛ `tondi`: expired at <!date^")
    assert world.runs.open_runs() == []


def test_a_renewed_question_alerts_again(world: World) -> None:
    world.start("aaaaaae2", world.question())
    world.look(WITHIN + 120)
    world.decide("aaaaaae2", "again", ALICE)
    world.emit("aaaaaae2", JobStarted(), world.question(), job=2)
    world.look()
    first, _, second = world.texts()
    assert first.startswith("✅ `tondi`: requested again by <@U01ALICE>")
    assert second.startswith("✋ <@U02BOB>: `tondi` is waiting")
    assert len(world.mentions(BOB)) == 3


def test_no_reminder_right_after_a_late_alert(world: World) -> None:
    """The reconciler was down: the alert itself comes when the reminder was due."""
    asked_at = world.now - WITHIN * 0.8
    world.start("aaaaaaf2", replace(world.question(), asked_at=Timestamp(asked_at, "boot", asked_at)))
    world.look(60)
    assert len(world.alerts()) == 1


def test_counts_approvals_and_mentions_who_is_left(world: World) -> None:
    world.rights = RIGHTS.replace('"U02BOB"]', '"U02BOB", "U03CAROL"]') + "accept_count = 2\n"
    world.restart()
    world.start("aaaaaag2", world.question(approvals=2))
    world.look()
    world.decide("aaaaaag2", needed=2)
    world.look()
    (text,) = world.texts()
    assert text.startswith("✋ <@U03CAROL>: `tondi` is waiting to be accepted as a manager. 1 of 2 approvals so far.")
    world.decide("aaaaaag2", user=CAROL, needed=2)
    world.look()
    (text,) = world.texts()
    assert text.startswith("✅ `tondi`: accepted by <@U02BOB> and <@U03CAROL> at")


@pytest.mark.parametrize("fault", ["drop_reply", "server_error"])
@pytest.mark.parametrize("moment", ["at once", "later"])
def test_posts_once_and_closes_when_the_reply_of_the_post_is_lost(world: World, fault: str, moment: str) -> None:
    world.start("aaaaaah2")
    world.look()
    world.workspace.set_fault(fault, method="chat.postMessage")
    world.emit("aaaaaah2", world.question())
    world.reconciler.reconcile_all()
    world.now += 2
    assert not world.workspace.pending_faults()
    world.restart()
    if moment == "later":
        world.look(30)
    world.decide("aaaaaah2")
    world.look(30)
    alerts = [text for text in world.texts() if "tondi" in text]
    assert all(text.startswith("✅ `tondi`: accepted by <@U02BOB>") for text in alerts)
    assert len(alerts) == (0 if (fault, moment) == ("server_error", "at once") else 1)
    assert len(world.mentions(BOB)) == len(alerts)


@pytest.mark.parametrize("fault", ["drop_reply", "server_error"])
def test_reminds_once_and_closes_both_when_the_reply_of_the_reminder_is_lost(world: World, fault: str) -> None:
    world.start("aaaaabh2", world.question())
    world.look(WITHIN * 2 / 3 - 60)
    world.workspace.set_fault(fault, method="chat.postMessage")
    world.look(120)
    assert not world.workspace.pending_faults()
    world.restart()
    world.look(60)
    assert [text[:1] for text in world.texts()] == ["✋", "⏰"]
    assert len(world.mentions(BOB)) == 2
    world.decide("aaaaabh2")
    world.look(30)
    assert [text[:1] for text in world.texts()] == ["✅", "✅"]
    assert len(world.mentions(BOB)) == 2


def test_a_reconciler_that_dies_after_the_post_alerts_once(world: World) -> None:
    world.start("aaaaaai2")
    world.look()
    world.emit("aaaaaai2", world.question())

    def die(point: Failpoint) -> None:
        if point == "alert.posted":
            raise Killed(point)

    failpoints.on_failpoint = die
    try:
        with suppress(Killed):
            world.reconciler.reconcile_all()
    finally:
        failpoints.on_failpoint = None
    assert len(world.alerts()) == 1
    world.restart()
    world.look()
    assert len(world.alerts()) == 1
    world.decide("aaaaaai2")
    world.look()
    assert [text[:23] for text in world.texts()] == ["✅ `tondi`: accepted by "]


def test_two_reconcilers_that_take_turns_alert_once(world: World) -> None:
    first = world.reconciler
    world.restart()
    second = world.reconciler
    world.start("aaaaaaj2", world.question())
    for number in range(40):
        (first, second)[number % 2].reconcile_all()
        world.now += WITHIN / 38
    assert [text[:1] for text in world.texts()] == ["⌛", "⌛"]
    assert len(world.mentions(BOB)) == 2


def test_a_deleted_alert_stays_deleted(world: World) -> None:
    world.start("aaaaaak2", world.question())
    world.look()
    world.workspace.delete_message(world.alerts()[0])
    world.decide("aaaaaak2")
    world.emit("aaaaaak2", JobStarted(), DONE, job=2)
    world.look(30)
    assert world.alerts() == []
    assert world.runs.open_runs() == []


@pytest.mark.parametrize("reconciler", ["same", "restarted"])
def test_a_wiped_redis_closes_the_alert(world: World, reconciler: str) -> None:
    world.start("aaaaaas2", world.question())
    world.look()
    world.redis.flushdb()
    if reconciler == "restarted":
        world.restart()
    world.look()
    (text,) = world.texts()
    assert text.startswith("❓")
    assert "no longer waiting" in text or "Redis lost its data, including run `aaaaaas2`" in text
    assert len(world.mentions(BOB)) == 1


# --- the end of a run -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seconds", "outcome", "expected"),
    [
        (10, FAILED, "❌ <@U01ALICE>: Migrate tondi failed: apt-get install failed. <"),
        (
            10,
            JobFinished("rolled_back", "x"),
            "❌ <@U01ALICE>: Migrate tondi failed; rolled back, the old Engine runs. <",
        ),
        (10, JobFinished("refused", "the disk is full"), "🚫 <@U01ALICE>: Migrate tondi rejected: the disk is full. <"),
        (
            10,
            JobFinished("cancelled", "cancelled", user=BOB),
            "🚫 <@U01ALICE>: Migrate tondi: cancelled. <",
        ),
        (10, JobFinished("cancelled", "cancelled", user=ALICE), None),
        (10, DONE, None),
        (10, JobFinished("unchanged", "nothing to do"), None),
        (90, DONE, "✅ <@U01ALICE>: tondi is in the swarm. <"),
    ],
)
def test_alerts_the_requester_of_an_end_they_wait_for(
    world: World, seconds: float, outcome: JobFinished, expected: str | None
) -> None:
    world.start("aaaaaal2", Planned((StepLine("a", "Step a"),)), StepStarted("a"), StepDone("a"))
    world.look()
    world.now += seconds - 6
    world.emit("aaaaaal2", outcome)
    world.look(30)
    assert [text[: len(expected or "")] for text in world.texts()] == ([expected] if expected else [])
    assert len(world.mentions(ALICE)) == (1 if expected else 0)
    assert world.runs.open_runs() == []


def test_an_outcome_that_replaces_a_loss_edits_the_alert(world: World) -> None:
    record = world.start("aaaaaam2")
    world.look()
    world.redis.hset(f"rq:job:{record.run}-1", "status", "failed")
    world.look()
    (text,) = world.texts()
    assert text.startswith("❓ <@U01ALICE>: Migrate tondi: lost. <")
    world.emit("aaaaaam2", DONE)
    world.look()
    assert [text[:38] for text in world.texts()] == ["✅ <@U01ALICE>: tondi is in the swarm. "]
    assert len(world.mentions(ALICE)) == 1


# --- fleets ----------------------------------------------------------------------------------------------------------

HOSTS = ("connewitz", "kaditz", "lausen", "lei-1", "lei-2", "miltitz", "reudnitz", "tondi")


def start_fleet(world: World, run: str) -> dict[str, str]:
    """Start the migration of eight hosts, and return the runs of the hosts."""
    plan = FleetPlanned(tuple(HostPlan(host, "manager", 2, 0, "") for host in HOSTS), parallel=8)
    world.start(run, plan, DecisionRequested("start_fleet", "f00d"), command=MigrateAll())
    world.look()
    world.decide(run, "start", ALICE)
    world.look()
    return {host: host_run_id(run, host) for host in HOSTS}


def test_eight_hosts_that_ask_alert_once(world: World) -> None:
    hosts = start_fleet(world, "fffffff2")
    for host, run in hosts.items():
        world.emit(run, JobStarted(), world.question(host))
        world.look(4)
    plan_alert, alert = world.texts()
    assert plan_alert.startswith("✅ The plan for the whole fleet: started by <@U01ALICE>")
    lead, *lines = alert.splitlines()
    assert lead == "✋ <@U02BOB>: 8 questions for you."
    assert [line.split(" to be ")[0] for line in lines] == [f"• `{host}` is waiting" for host in HOSTS]
    links = world.runs.posted_messages.links(hosts.values())
    assert all(f"<{links[run]}|Open>" in line for run, line in zip(hosts.values(), lines, strict=True))
    assert len(world.mentions(BOB)) == 1
    world.look(WITHIN * 2 / 3)
    assert len(world.mentions(BOB)) == 2, "one reminder for all"
    for run in hosts.values():
        world.decide(run)
        world.emit(run, JobStarted(), DONE, job=2)
    world.look(30)
    plan_alert, alert, reminder, end = world.texts()
    assert reminder == alert.replace(" ", " Reminder closed. ", 1)
    lead, *lines = alert.splitlines()
    assert lead == "✅ All questions are closed."
    assert [line.split(" by ")[0] for line in lines] == [f"• `{host}`: accepted" for host in HOSTS]
    assert end.startswith("✅ <@U01ALICE>: Migrate the whole fleet: done, 8 of 8 hosts. 8 hosts migrated")
    assert (len(world.mentions(BOB)), world.runs.open_runs()) == (2, [])


def test_a_question_after_the_reminder_gets_an_alert_of_its_own(world: World) -> None:
    hosts = start_fleet(world, "fffffffa")
    world.emit(hosts["tondi"], JobStarted(), world.question("tondi"))
    world.look(WITHIN * 0.8)
    world.emit(hosts["lausen"], JobStarted(), world.question("lausen"))
    world.look()
    assert [text[:12] for text in world.texts()[1:]] == ["✋ <@U02BOB>:", "⏰ <@U02BOB>:", "✋ <@U02BOB>:"]
    assert "lausen" in world.texts()[-1]
    assert len(world.mentions(BOB)) == 3


def test_a_fleet_that_has_ended_still_alerts_for_its_hosts(world: World) -> None:
    hosts = start_fleet(world, "fffffffb")
    for host, run in hosts.items():
        world.emit(run, JobStarted(), world.question(host) if host == "tondi" else FAILED)
    world.look(20)
    assert "fffffffb" not in world.runs.open_runs()
    _, alert, end = world.texts()
    assert alert.startswith("✋ <@U02BOB>: `tondi` is waiting")
    assert end.startswith("❌ <@U01ALICE>: Migrate the whole fleet: failed")
    assert len(world.mentions(ALICE)) == 2, "the plan, and one end for seven failures"
    world.decide(hosts["tondi"])
    world.emit(hosts["tondi"], JobStarted(), DONE, job=2)
    world.look(20)
    assert world.texts()[1].startswith("✅ `tondi`: accepted by <@U02BOB>")


# --- [slack] notify --------------------------------------------------------------------------------------------------


def test_notify_thread_stays_out_of_the_channel(world: World) -> None:
    world.notify = "thread"
    world.restart()
    world.start("aaaaaan2", world.question())
    world.look()
    (alert,) = world.alerts()
    assert (alert.raw.get("subtype"), len(world.mentions(BOB))) == (None, 1)


def test_notify_off_closes_earlier_alerts_and_posts_none(world: World) -> None:
    world.start("aaaaaao2", world.question())
    world.look()
    world.notify = "off"
    world.restart()
    world.start("aaaaaap2", world.question("lausen"))
    world.decide("aaaaaao2")
    world.look(WITHIN + 60)
    assert [text[:23] for text in world.texts()] == ["✅ `tondi`: accepted by "]


def test_notify_dm_without_its_scope_alerts_in_the_channel(world: World) -> None:
    world.notify = "dm"
    world.restart()
    world.start("aaaaaaq2", world.question())
    world.look()
    (alert,) = world.alerts()
    assert (alert.raw["subtype"], len(world.mentions(BOB))) == ("thread_broadcast", 1)


@pytest.fixture
def direct_workspace(tmp_path: Path) -> Iterator[Workspace]:
    """Start a workspace whose app has the scopes for direct messages."""
    manifest = yaml.safe_load((DEFAULT_CONFIG.parent / "../../bot/manifest.yaml").read_text())
    manifest["oauth_config"]["scopes"]["bot"] += ["im:write", "im:history"]
    (tmp_path / "manifest.yaml").write_text(yaml.safe_dump(manifest))
    config = yaml.safe_load(DEFAULT_CONFIG.read_text())
    config["app"]["manifest"] = "manifest.yaml"
    (tmp_path / "workspace.yaml").write_text(yaml.safe_dump(config))
    with run_fake_slack(config=tmp_path / "workspace.yaml") as started:
        yield started


@pytest.mark.parametrize("fault", ["", "drop_reply"])
def test_notify_dm_sends_direct_messages_and_closes_them(direct_workspace: Workspace, redis: Redis, fault: str) -> None:
    """Slack opens no direct message to a member of the group who has left."""
    direct_workspace.set_group("S01OPS", ALICE, BOB, "U05GONE")
    rights = RIGHTS.replace('["U01ALICE", "U02BOB"]', '["S01OPS", "U03CAROL"]')
    world = World(direct_workspace, redis, rights, "dm")
    world.start("aaaaaar2")
    world.look()
    if fault:
        direct_workspace.set_fault(fault, method="chat.postMessage")
    world.emit("aaaaaar2", world.question())
    world.look(30)
    assert world.alerts() == []
    for user in (BOB, CAROL):
        (text,) = world.texts(f"D{user}", user)
        assert text.startswith("✋ <!subteam^S01OPS> <@U03CAROL>: `tondi` is waiting")
        assert len(world.mentions(user)) == 1
    assert world.mentions(ALICE) == [], "the requester may not accept"
    world.decide("aaaaaar2")
    world.look(30)
    for user in (BOB, CAROL):
        (text,) = world.texts(f"D{user}", user)
        assert text.startswith("✅ `tondi`: accepted by <@U02BOB>")
