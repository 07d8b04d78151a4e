"""Run the real command handler, policy, and run store on a real Redis, with simulated users and job events."""

import json
import tomllib
from dataclasses import dataclass, field, replace
from typing import Any

from redis import Redis
from rq.job import Job
from rq.serializers import JSONSerializer
from slack_sdk.errors import SlackApiError

from bot.commands.table import BY_NAME
from bot.handlers.commands import CommandHandler
from bot.handlers.delivery import SHOW_STEP, Delivery
from bot.handlers.forms import FormHandler
from bot.messages.block_kit import Message, Reply
from bot.messages.replies.responses import not_found
from bot.messages.views.form import FORM_GONE
from bot.records import Choice, RunRecord
from bot.runs.posted_messages import SHOWN
from bot.runs.store import RunStore
from bot.settings import File, Notify, Settings
from bot.slack.users import UserDirectory
from imker import signing
from imker.audit_log import AuditLog
from imker.clock import Timestamp
from imker.hash_chain import AuditFact, verify
from imker.protocol import codec, commands, version
from imker.protocol.commands import Accept, Hold, ListHosts, ListNodes, Migrate, MigrateAll, PlanHost, Reject, Request
from imker.protocol.events import DecisionRequested, EventBody, FleetPlanned, JobFinished, JobStarted, NodeTable
from imker.protocol.next_command import BotCommand, NextCommand
from imker.protocol.node_commands import Activate, Demote, Drain, Promote, Remove, Upgrade, UpgradeAll
from imker.protocol.run_id import run_id
from imker.protocol.service_commands import ListServices, ScaleServices, ScaleTarget, ShowService
from imker.protocol.service_events import ServiceDetails, ServiceRow
from imker.protocol.values import Candidate, HostPlan, NodeRow, Quorum
from imker.signing import SigningKey
from jobs.events.writer import EventWriter

KEY, NODE, TS = SigningKey("k" * 64), "j8xsy2yb802b5ys0uvwhsouw1", "1700000000.000001"
HOSTS = ("connewitz", "kaditz", "lei-1", "lei-2", "tondi")
TEAM, OPS, LEI = "T01IMKER", "C01OPS", "C04LEI"
IDS = {
    "alice": "U01ALICE", "bob": "U02BOB", "carol": "U03CAROL", "erin": "U05ERIN", "frank": "U06FRANK",
    "dave": "U08DAVE", "heidi": "U09HEIDI", "guest": "U10GUEST", "gone": "U11GONE", "bot": "U12BOT",
    "flow": "U13FLOW", "other": "U14OTHER", "mallory": "U66MALLORY", "slackbot": "USLACKBOT", "unknown": "U99UNKNOWN",
    "anonymous": "", "sister": "U15SISTER", "ivan": "U16IVAN", "grace": "U17GRACE",
    "judy": "U18JUDY", "karl": "U19KARL", "kim": "U20KIM",
}  # fmt: skip
USER_PROFILES: dict[str, dict[str, Any]] = {  # more fields of users.info than the ID and the team
    "U10GUEST": {"is_restricted": True}, "U11GONE": {"deleted": True}, "U12BOT": {"is_bot": True},
    "U13FLOW": {"is_workflow_bot": True}, "U14OTHER": {"team_id": "T02OTHER", "is_stranger": True},
    "U15SISTER": {"team_id": "T03SISTER"},
    "U66MALLORY": {"name": "alice", "real_name": "alice", "profile": {"email": "alice@example.org"}},
}  # fmt: skip
GROUPS = {
    "S01STAFF": ["U01ALICE", "U02BOB", "U03CAROL", "U08DAVE"],
    "S02LEI": ["U06FRANK"],
}


@dataclass
class FakeUsersApi:
    """The users and groups methods of the Slack Web API."""

    groups: dict[str, list[str]] | None = field(default_factory=lambda: dict(GROUPS))
    outside: dict[str, tuple[str, ...]] = field(default_factory=dict)  # by channel: who is not a member

    def users_info(self, user: str) -> dict[str, Any]:
        if user not in IDS.values() or user in ("", IDS["unknown"]):
            raise SlackApiError("no", {"ok": False, "error": "user_not_found"})
        return {"user": {"id": user, "team_id": TEAM, **USER_PROFILES.get(user, {})}}

    def conversations_members(self, channel: str, **_: Any) -> dict[str, Any]:
        return {"members": [user for user in IDS.values() if user not in self.outside.get(channel, ())]}

    def usergroups_users_list(self, usergroup: str) -> dict[str, Any]:
        if self.groups is None:
            raise SlackApiError("no", {"ok": False, "error": "missing_scope"})
        return {"users": self.groups[usergroup]}


@dataclass
class BotHarness:
    """A command handler and the replies to its users. `timestamp` holds both clocks."""

    redis: Redis
    file: File
    slack: FakeUsersApi = field(default_factory=FakeUsersApi)
    timestamp: Timestamp = field(default_factory=lambda: Timestamp(1_795_440_000.0, "boot", 100.0))
    replies: list[Message] = field(default_factory=list)
    delivery_count: int = 0
    salt: str = ""  # tells its runs from another bench's

    def __post_init__(self) -> None:
        self.knows(json.dumps(HOSTS))
        self.runs = RunStore(self.redis, lambda: self.timestamp.unix, KEY, lambda: self.timestamp)
        settings = settings_of(self.file)
        people = UserDirectory(self.slack, self.file.rights.groups)  # type: ignore[arg-type]
        self.handler = CommandHandler(settings, self.runs, people, TEAM, AuditLog(self.redis), lambda: ())
        self.handler.hosts.refresh()
        self.forms = FormHandler(
            self.handler.access, self.handler.hosts, KEY, settings.reads == "private", lambda: self.timestamp.unix
        )

    def knows(self, hosts: str) -> None:
        """Publish the inventory in Redis, signed as the RQ workers sign it. `hosts`: JSON."""
        self.redis.set(version.INVENTORY_KEY, signing.sign_for(KEY, version.INVENTORY_KEY, hosts))

    def types(self, who: str, text: str, channel: str = OPS, delivery: str = "") -> None:
        self.delivery_count += 1
        delivery_id = delivery or f"delivery-{self.delivery_count}"
        at = self.timestamp.unix + (
            0 if delivery else self.delivery_count / 1000
        )  # what is delivered twice was said once
        delivered = Delivery("command", delivery_id, IDS[who], channel, text, "", at)
        self.handler.handle_command(delivered, self._reply(who, channel, delivery_id, text))

    def clicks(
        self, who: str, value: str, verdict: Choice, channel: str = OPS, message: str = TS, home: bool = False
    ) -> None:
        """Click a button of the run's message or, with `home`, of the Home tab."""
        self.delivery_count += 1
        delivery_id = f"delivery-{self.delivery_count}"
        at = self.timestamp.unix + self.delivery_count / 1000  # no two clicks have the same time
        clicked = Delivery("click", delivery_id, IDS[who], channel, value, "", at, verdict, message, from_home=home)
        self.handler.handle_action(clicked, verdict, self._reply(who, channel, delivery_id, value))

    def submits(self, who: str, text: str, channel: str = OPS, form_of: str = "", metadata: str = "") -> None:
        """Submit the form for a command. `form_of`: whose form it is; `metadata`: forged, "" for that of the form."""
        self.delivery_count += 1
        view_id = f"view-{self.delivery_count}"
        opened = self.forms.command_form(IDS[form_of or who], channel, "")
        reply = self._reply(who, channel, view_id, text)
        if isinstance(opened, Message):
            return reply(opened)
        view = {**opened, "id": view_id, "state": {"values": form_values(text)}}
        view["private_metadata"] = metadata or view["private_metadata"]
        read = self.forms.read_command(IDS[who], view, "trigger")
        if isinstance(read, Delivery):
            return self.handler.handle_command(read, reply)
        return reply(read if isinstance(read, Message) else not_found(str(read.errors)))

    def shows(self, who: str, value: str, channel: str = OPS, delivery: str = "") -> None:
        """Click the button that posts a private answer."""
        self.delivery_count += 1
        delivery_id = delivery or f"delivery-{self.delivery_count}"
        clicked = Delivery("click", delivery_id, IDS[who], channel, value, "", self.timestamp.unix, step=SHOW_STEP)
        self.handler.handle_show(clicked, self._reply(who, channel, delivery_id, value))

    def opens(self, who: str, channel: str) -> None:
        """Open the form. `channel`: where, "" outside a channel."""
        self.delivery_count += 1
        opened, delivery_id = self.forms.command_form(IDS[who], channel, ""), f"form-{self.delivery_count}"
        if isinstance(opened, Message):
            return self._reply(who, channel, delivery_id, "")(opened)
        return self.handler.audit.command(IDS[who], channel, delivery_id, "/swarm (form)")

    def chooses(self, who: str, command: str, form_of: str = "", metadata: str = "") -> None:
        """Choose a command in a form. `form_of`: whose form it is; `metadata`: forged, "" for that of the form."""
        self.delivery_count += 1
        opened = self.forms.command_form(IDS[form_of or who], OPS, "")
        assert isinstance(opened, dict)
        view = {**opened, "id": f"view-{self.delivery_count}", "state": {"values": form_values(command)}}
        view["private_metadata"] = metadata or view["private_metadata"]
        if self.forms.choose_command(IDS[who], view) is None:
            self._reply(who, OPS, view["id"], command)(not_found(FORM_GONE))

    def rejects(
        self, who: str, value: str, reason: str, form_of: str = "", channel: str = OPS, metadata: str = ""
    ) -> None:
        """Submit the form for a rejection. `form_of`: who clicked Reject; `metadata`: forged, or ""."""
        self.delivery_count += 1
        view_id, at = f"view-{self.delivery_count}", self.timestamp.unix + self.delivery_count / 1000
        clicked = Delivery("click", "trigger", IDS[form_of or who], channel, value, "", at, "reject", TS)
        view = {**self.forms.reject_form(clicked, ""), "id": view_id}
        view["private_metadata"] = metadata or view["private_metadata"]
        view["state"] = {"values": {"reason": {"form.reason": {"type": "plain_text_input", "value": reason}}}}
        read, reply = self.forms.read_rejection(IDS[who], view, "trigger"), self._reply(who, channel, view_id, value)
        if isinstance(read, Message):
            return reply(read)
        return self.handler.handle_action(read, "reject", reply)

    def presses(self, who: str, value: str, step: str, channel: str = OPS, message: str = TS) -> None:
        """Click the button of a next step, or choose its item of the menu."""
        self.delivery_count += 1
        delivery_id = f"delivery-{self.delivery_count}"
        at = self.timestamp.unix + self.delivery_count / 1000
        clicked = Delivery("click", delivery_id, IDS[who], channel, value, "", at, message_ts=message, step=step)
        self.handler.handle_next_step(clicked, self._reply(who, channel, delivery_id, value))

    def audit_facts(self) -> list[AuditFact]:
        """Return all facts of the audit log, and assert that it verifies."""
        entries = list(AuditLog(self.redis).entries())
        assert verify(entries) == ()
        return [entry.fact for entry in entries if entry]

    def _reply(self, who: str, channel: str, delivery: str, text: str) -> Reply:
        return self.handler.audit.wrap_reply(IDS[who], channel, delivery, text, self.replies.append)

    def emit(self, run: str, *bodies: EventBody, job: int = 1) -> None:
        journal = EventWriter(self.redis, KEY, run, job, lambda: self.timestamp.unix)
        for body in bodies:
            journal.emit(body)

    def advance_clock(self, seconds: float, clock: float = 0.0) -> None:
        """Advance both clocks by `seconds`. `clock`: seconds by which the wall clock is set in addition."""
        since, wall = self.timestamp.boot_seconds + seconds, self.timestamp.unix + seconds + clock
        self.timestamp = replace(self.timestamp, boot_seconds=since, unix=wall)

    def enqueued_requests(self) -> dict[str, Request]:
        """Return all enqueued requests of any queue, by RQ job ID."""
        names = sorted(name.decode().removeprefix("rq:job:") for name in self.redis.keys("rq:job:*"))
        return {name: codec.decode_request(self.job_arguments(name)[0]) for name in names}

    def job_arguments(self, job_id: str) -> tuple[str, str]:
        text, signature = Job.fetch(job_id, self.redis, JSONSerializer).args
        return text, signature

    def decision_keys(self) -> set[str]:
        return {name.decode() for name in self.redis.keys("bot:run:*:decision:*")}

    def run_changes(self) -> set[str]:
        """Return the holds of all runs, and "show" if a private answer was posted."""
        holds = (current_hold(self.runs, name.decode().split(":")[1]) for name in self.redis.keys("run:*:hold"))
        runs = (name.decode().split(":")[2] for name in self.redis.keys("bot:run:*:posted"))
        is_shown = any(SHOWN in self.runs.posted_messages.get(run) for run in runs)
        return {hold.action for hold in holds if hold} | ({"show"} if is_shown else set())

    def create_run(self, state: str, needed: int = 1) -> str:
        """Create a run in this state, with a posted message and the events of its first job."""
        who, command, channel, bodies = SCENARIOS[state]
        record = RunRecord(
            run_id(f"{self.salt}{state}"),
            command,
            _command_text(command),
            IDS[who],
            channel,
            self.timestamp.unix,
            allowed_hosts=("*",),
            is_private=state == "private",
        )
        self.runs.start(record)
        self.runs.posted_messages.update(record.run, ts=TS, channel=channel)
        events = [
            replace(body, required_approvals=needed, asked_at=self.timestamp)
            if isinstance(body, DecisionRequested)
            else body
            for body in bodies
        ]
        self.emit(record.run, *events)
        return record.run


def form_values(text: str) -> dict[str, Any]:
    """Return the state of the form that stands for this command."""
    name = next(name for name in sorted(BY_NAME, key=len, reverse=True) if f"{text} ".startswith(f"{name} "))
    words = text.removeprefix(name).split()
    values: dict[str, Any] = {"command": {"form.choose": {"selected_option": {"value": name}}}}
    if BY_NAME[name].scope == "services":
        return {**values, "words": {"form.words": {"type": "plain_text_input", "value": " ".join(words)}}}
    hosts = [word for word in words if not word.startswith("--")]
    if hosts:
        values["host"] = {"form.host": {"selected_option": {"value": hosts[0]}}}
    roles = [word.removeprefix("--") for word in words if word in ("--manager", "--worker")]
    if roles:
        values["role"] = {"form.role": {"selected_option": {"value": roles[0]}}}
    return values


def current_hold(runs: RunStore, run: str) -> Hold | None:
    snapshot = runs.snapshot(run)
    return snapshot.hold if snapshot else None


def parse_settings_file(text: str) -> File:
    return File.model_validate(tomllib.loads(text))


def settings_of(file: File, notify: Notify = "off") -> Settings:
    return Settings(
        bot_token=None, app_token=None, api_url="", redis_url=None,  # type: ignore[arg-type]
        channels=file.slack.channels, rights=file.rights, team=TEAM, notify=notify,
        reads=file.slack.reads,
    )  # fmt: skip


def _command_text(command: commands.Command) -> str:
    return f"{command.type.replace('_', ' ')} {getattr(command, 'host', '')}".strip()


def _approval_question(host: str) -> DecisionRequested:
    candidate = Candidate(host, NODE, "198.18.0.39", host, "26.1.5")
    return DecisionRequested("accept", "f00d", candidate, Quorum(2, 0, 3, 1), host=host, valid_seconds=1800.0)


def _start_question(host: str) -> DecisionRequested:
    return DecisionRequested("start", "f00d", quorum=Quorum(3, 1, 2, 0), host=host, summary=f"Change {host}?")


def _service(status: str) -> ServiceDetails:
    return ServiceDetails("tondi", 0.0, ServiceRow("shop_web", "replicated", 2, 2, "nginx:1.11", status=status))


SUGGESTED = (
    Accept(NODE[:12]), Reject(NODE[:12]), MigrateAll(("kaditz",)), PlanHost("kaditz"), ListHosts(),
    BotCommand("status"), Drain("kaditz"), Activate("kaditz"), Promote("kaditz"), Demote("kaditz"), Remove("kaditz"),
    Upgrade("kaditz"), UpgradeAll(),
)  # fmt: skip
NODES = NodeTable("tondi", 0.0, (NodeRow(NODE, True, "kaditz", "Pending", "Ready", "Drain", "", "26.1.5"),))
FLEET = FleetPlanned((HostPlan("kaditz", "worker", 3, 0, "1 manager (survives no loss)"),))
SCALE = ScaleServices((ScaleTarget("shop_web", 0),))
TO_SERVICES = (NextCommand(ListServices()), NextCommand(ShowService("shop_web")))
Scenario = tuple[str, commands.Command, str, tuple[EventBody, ...]]
SCENARIOS: dict[str, Scenario] = {
    "pending": ("alice", Migrate("kaditz"), OPS, (JobStarted("kaditz"), _approval_question("kaditz"))),
    "daves": ("dave", Migrate("kaditz"), OPS, (JobStarted("kaditz"), _approval_question("kaditz"))),
    "pending-lei": ("erin", Migrate("lei-1"), LEI, (JobStarted("lei-1"), _approval_question("lei-1"))),
    "warned": ("alice", Migrate("kaditz"), OPS, (JobStarted("kaditz"), DecisionRequested("continue", "f00d"))),
    "warned-lei": ("erin", Migrate("lei-1"), LEI, (JobStarted("lei-1"), DecisionRequested("continue", "f00d"))),
    "drain": ("alice", Drain("kaditz"), OPS, (JobStarted("kaditz"), _start_question("kaditz"))),
    "demote-lei": ("alice", Demote("lei-1"), OPS, (JobStarted("lei-1"), _start_question("lei-1"))),
    "promoted": ("alice", Promote("kaditz"), OPS, (JobStarted("kaditz"), _approval_question("kaditz"))),
    "daves-promoted": ("dave", Promote("kaditz"), OPS, (JobStarted("kaditz"), _approval_question("kaditz"))),
    "upgrade": ("alice", UpgradeAll(), OPS, (JobStarted(), FLEET, DecisionRequested("start_fleet", "f00d"))),
    "fleet": ("alice", MigrateAll(), OPS, (JobStarted(), FLEET, DecisionRequested("start_fleet", "f00d"))),
    "stop": (
        "alice",
        Migrate("kaditz"),
        OPS,
        (JobStarted("kaditz"), DecisionRequested("stop_store", "f00d", host="kaditz")),
    ),
    "store": (
        "alice",
        Migrate("kaditz"),
        OPS,
        (JobStarted("kaditz"), DecisionRequested("remove_store", "f00d", host="kaditz")),
    ),
    "graces": ("grace", Migrate("lei-1"), OPS, (JobStarted("lei-1"), DecisionRequested("continue", "f00d"))),
    "graces-running": ("grace", Migrate("lei-1"), OPS, (JobStarted("lei-1"),)),
    "guests": ("guest", Migrate("kaditz"), OPS, (JobStarted("kaditz"),)),
    "gones": ("gone", Migrate("kaditz"), OPS, (JobStarted("kaditz"), DecisionRequested("continue", "f00d"))),
    "running": ("alice", Migrate("kaditz"), OPS, (JobStarted("kaditz"),)),
    "running-lei": ("alice", Migrate("lei-1"), LEI, (JobStarted("lei-1"),)),
    "running-here": ("alice", Migrate("kaditz"), LEI, (JobStarted("kaditz"),)),
    "over-here": ("alice", Migrate("kaditz"), LEI, (JobStarted("kaditz"), JobFinished("failed", "it failed"))),
    "over": ("alice", Migrate("kaditz"), OPS, (JobStarted("kaditz"), JobFinished("failed", "it failed"))),
    "planned": ("alice", PlanHost("kaditz"), OPS, (JobStarted("kaditz"), JobFinished("done", "1 steps planned."))),
    "done": ("alice", Migrate("kaditz"), OPS, (JobStarted("kaditz"), JobFinished("done", "kaditz is in the swarm."))),
    "suggests": (
        "alice",
        Migrate("kaditz"),
        OPS,
        (JobStarted("kaditz"), NODES, JobFinished("refused", "no", next_commands=tuple(map(NextCommand, SUGGESTED)))),
    ),
    "stopped": (
        "alice",
        Migrate("kaditz"),
        OPS,
        (JobStarted("kaditz"), DecisionRequested("start_containers", "f00d", host="kaditz", names=("web",))),
    ),
    "read": ("carol", ListNodes(), OPS, (JobStarted(), JobFinished("done", "2 nodes"))),
    "private": ("carol", ListNodes(), OPS, (JobStarted(), JobFinished("done", "2 nodes"))),
    "service": ("carol", ShowService("shop_web"), OPS, (JobStarted(), _service("healthy"), JobFinished("done", "web"))),
    "broken": ("karl", ShowService("shop_web"), OPS, (JobStarted(), _service("paused"), JobFinished("done", "web"))),
    "scaled": ("alice", SCALE, OPS, (JobStarted(), JobFinished("done", "shop_web converged in 2 s."))),
    "scale": ("alice", SCALE, OPS, (JobStarted(), DecisionRequested("start", "f00d", services=("shop_web",)))),
    "scale-blog": ("alice", SCALE, OPS, (JobStarted(), DecisionRequested("start", "f00d", services=("blog_web",)))),
    "scaling": ("alice", SCALE, OPS, (JobStarted(),)),
    "services": ("alice", SCALE, OPS, (JobStarted(), JobFinished("failed", "no", next_commands=TO_SERVICES))),
    "refused": ("alice", Migrate("kaditz"), OPS, (JobStarted("kaditz"), JobFinished("refused", "the disk is full"))),
    "start": (
        "alice",
        Migrate("kaditz"),
        OPS,
        (JobStarted("kaditz"), DecisionRequested("start", "f00d", host="kaditz")),
    ),
    "start-reject": (
        "bob",
        Reject(NODE),
        OPS,
        (JobStarted(), DecisionRequested("start", "f00d", host="kaditz")),
    ),
    "over-lei": ("alice", Migrate("lei-1"), LEI, (JobStarted("lei-1"), JobFinished("failed", "it failed"))),
}
