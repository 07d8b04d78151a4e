"""The real Desk, policy and Runs over a real Redis, with simulated people. What jobs would tell, the tests tell."""

import json
import tomllib
from dataclasses import dataclass, field, replace
from typing import Any

from redis import Redis
from rq.job import Job
from rq.serializers import JSONSerializer
from slack_sdk.errors import SlackApiError

from bot.desk import Desk
from bot.inbox import Delivery
from bot.kit import Answer, Message
from bot.people import People
from bot.record import RunRecord, Verdict, run_id
from bot.runs import Runs
from bot.settings import File, Settings
from imker import signing
from imker.audit import Audit
from imker.chain import Fact, verify
from imker.moment import Moment
from imker.signing import Key
from jobs import contract
from jobs.contract import (
    Began,
    Body,
    Candidate,
    Ended,
    FleetPlanned,
    Leg,
    Migrate,
    MigrateAll,
    Quorum,
    Request,
    Waiting,
)
from jobs.journal import Journal

KEY, NODE, TS = Key("k" * 64), "j8xsy2yb802b5ys0uvwhsouw1", "1700000000.000001"
HOSTS = ("connewitz", "kaditz", "lei-1", "lei-2", "tondi")
TEAM, OPS, LEI = "T01IMKER", "C01OPS", "C04LEI"
IDS = {
    "alice": "U01ALICE", "bob": "U02BOB", "carol": "U03CAROL", "erin": "U05ERIN", "frank": "U06FRANK",
    "dave": "U08DAVE", "heidi": "U09HEIDI", "guest": "U10GUEST", "gone": "U11GONE", "bot": "U12BOT",
    "flow": "U13FLOW", "other": "U14OTHER", "mallory": "U66MALLORY", "slackbot": "USLACKBOT", "unknown": "U99UNKNOWN",
    "nobody": "", "sister": "U15SISTER", "ivan": "U16IVAN", "grace": "U17GRACE",
}  # fmt: skip
TOLD: dict[str, dict[str, Any]] = {  # what users.info says besides the ID and the team
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
class SimulatedSlack:
    """What People asks of Slack's Web API."""

    groups: dict[str, list[str]] | None = field(default_factory=lambda: dict(GROUPS))

    def users_info(self, user: str) -> dict[str, Any]:
        if user not in IDS.values() or user in ("", IDS["unknown"]):
            raise SlackApiError("no", {"ok": False, "error": "user_not_found"})
        return {"user": {"id": user, "team_id": TEAM, **TOLD.get(user, {})}}

    def usergroups_users_list(self, usergroup: str) -> dict[str, Any]:
        if self.groups is None:
            raise SlackApiError("no", {"ok": False, "error": "missing_scope"})
        return {"users": self.groups[usergroup]}


@dataclass
class Bench:
    """A desk, and what people hear. `moment` is the clock that nobody sets; `wall` the one that can be."""

    redis: Redis
    file: File
    slack: SimulatedSlack = field(default_factory=SimulatedSlack)
    moment: Moment = field(default_factory=lambda: Moment(1_795_440_000.0, "boot", 100.0))
    heard: list[Message] = field(default_factory=list)
    delivered: int = 0
    salt: str = ""  # tells its runs from another bench's

    def __post_init__(self) -> None:
        self.knows(json.dumps(HOSTS))
        self.runs = Runs(self.redis, lambda: self.moment.wall, KEY, lambda: self.moment)
        settings = Settings(
            bot_token=None, app_token=None, api_url="", redis_url=None,  # type: ignore[arg-type]
            channels=self.file.slack.channels, rights=self.file.rights, team=TEAM,
        )  # fmt: skip
        people = People(self.slack, self.file.rights.groups)  # type: ignore[arg-type]
        self.desk = Desk(settings, self.runs, people, TEAM, Audit(self.redis), lambda: ())

    def knows(self, hosts: str) -> None:
        """The jobs' side told these; the text, as it would be signed."""
        self.redis.set(contract.INVENTORY, signing.seal(KEY, contract.INVENTORY, hosts))

    def types(self, who: str, text: str, channel: str = OPS, delivery: str = "") -> None:
        self.delivered += 1
        known = delivery or f"delivery-{self.delivered}"
        at = self.moment.wall + (0 if delivery else self.delivered / 1000)  # what is delivered twice was said once
        typed = Delivery("command", known, IDS[who], channel, text, "", at)
        self.desk.command(typed, self._answer(who, channel, known, text))

    def clicks(self, who: str, value: str, verdict: Verdict, channel: str = OPS, message: str = TS) -> None:
        self.delivered += 1
        known = f"delivery-{self.delivered}"
        at = self.moment.wall + self.delivered / 1000  # nobody presses twice at once
        clicked = Delivery("click", known, IDS[who], channel, value, "", at, verdict, message)
        self.desk.click(clicked, verdict, self._answer(who, channel, known, value))

    def recorded(self) -> list[Fact]:
        """All of the record, which is whole."""
        entries = list(Audit(self.redis).entries())
        assert verify(entries) == ()
        return [entry.fact for entry in entries if entry]

    def _answer(self, who: str, channel: str, delivery: str, text: str) -> Answer:
        return self.desk.minutes.heard(IDS[who], channel, delivery, text, self.heard.append)

    def tell(self, run: str, *bodies: Body, job: int = 1) -> None:
        journal = Journal(self.redis, KEY, run, job, lambda: self.moment.wall)
        for body in bodies:
            journal.tell(body)

    def later(self, seconds: float, clock: float = 0.0) -> None:
        """`clock`: by how much somebody sets the wall clock meanwhile."""
        since, wall = self.moment.since + seconds, self.moment.wall + seconds + clock
        self.moment = replace(self.moment, since=since, wall=wall)

    def requests(self) -> dict[str, Request]:
        """All that was enqueued, by RQ job ID, in any queue."""
        names = sorted(name.decode().removeprefix("rq:job:") for name in self.redis.keys("rq:job:*"))
        return {name: contract.decode_request(self.enqueued(name)[0]) for name in names}

    def enqueued(self, job_id: str) -> tuple[str, str]:
        text, signature = Job.fetch(job_id, self.redis, JSONSerializer).args
        return text, signature

    def decisions(self) -> set[str]:
        return {name.decode() for name in self.redis.keys("bot:run:*:decision:*")}

    def holds(self) -> set[str]:
        held = (self.runs.held(name.decode().split(":")[1]) for name in self.redis.keys("run:*:hold"))
        return {hold.what for hold in held if hold}

    def run(self, state: str, needed: int = 1) -> str:
        """A run in that state; its message is posted, and its first job has told what it would."""
        who, command, channel, bodies = STATES[state]
        record = RunRecord(
            run_id(f"{self.salt}{state}"), command, _text(command), IDS[who], channel, self.moment.wall, within=("*",)
        )
        self.runs.start(record)
        self.runs.posted.remember(record.run, ts=TS, channel=channel)
        asked = [
            replace(body, needed=needed, asked=self.moment) if isinstance(body, Waiting) else body for body in bodies
        ]
        self.tell(record.run, *asked)
        return record.run


def configured(text: str) -> File:
    return File.model_validate(tomllib.loads(text))


def _text(command: contract.Command) -> str:
    return f"{command.type.replace('_', ' ')} {getattr(command, 'host', '')}".strip()


def _pending(host: str) -> Waiting:
    candidate = Candidate(host, NODE, "198.18.0.39", host, "26.1.5")
    return Waiting("accept", "f00d", candidate, Quorum(2, 0, 3, 1), host=host, seconds=1800.0)


FLEET = FleetPlanned((Leg("kaditz", "worker", 3, 0, "1 manager: none may fail"),))
State = tuple[str, contract.Command, str, tuple[Body, ...]]
STATES: dict[str, State] = {
    "pending": ("alice", Migrate("kaditz"), OPS, (Began("kaditz"), _pending("kaditz"))),
    "daves": ("dave", Migrate("kaditz"), OPS, (Began("kaditz"), _pending("kaditz"))),
    "pending-lei": ("erin", Migrate("lei-1"), LEI, (Began("lei-1"), _pending("lei-1"))),
    "warned": ("alice", Migrate("kaditz"), OPS, (Began("kaditz"), Waiting("continue", "f00d"))),
    "warned-lei": ("erin", Migrate("lei-1"), LEI, (Began("lei-1"), Waiting("continue", "f00d"))),
    "fleet": ("alice", MigrateAll(), OPS, (Began(), FLEET, Waiting("start", "f00d"))),
    "stop": ("alice", Migrate("kaditz"), OPS, (Began("kaditz"), Waiting("stop", "f00d", host="kaditz"))),
    "store": ("alice", Migrate("kaditz"), OPS, (Began("kaditz"), Waiting("store", "f00d", host="kaditz"))),
    "graces": ("grace", Migrate("lei-1"), OPS, (Began("lei-1"), Waiting("continue", "f00d"))),
    "graces-running": ("grace", Migrate("lei-1"), OPS, (Began("lei-1"),)),
    "guests": ("guest", Migrate("kaditz"), OPS, (Began("kaditz"),)),
    "gones": ("gone", Migrate("kaditz"), OPS, (Began("kaditz"), Waiting("continue", "f00d"))),
    "running": ("alice", Migrate("kaditz"), OPS, (Began("kaditz"),)),
    "running-lei": ("alice", Migrate("lei-1"), LEI, (Began("lei-1"),)),
    "running-here": ("alice", Migrate("kaditz"), LEI, (Began("kaditz"),)),
    "over-here": ("alice", Migrate("kaditz"), LEI, (Began("kaditz"), Ended("failed", "it failed"))),
    "over": ("alice", Migrate("kaditz"), OPS, (Began("kaditz"), Ended("failed", "it failed"))),
    "over-lei": ("alice", Migrate("lei-1"), LEI, (Began("lei-1"), Ended("failed", "it failed"))),
}
