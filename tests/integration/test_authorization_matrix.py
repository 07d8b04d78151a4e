"""Play the authorization matrix through the fake Slack against the bot process.

Only what the configuration allows becomes a job, and the RQ workers accept only those jobs.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from httpx import HTTPStatusError
from redis import Redis
from rq import Queue
from rq.job import Job, JobStatus
from rq.serializers import JSONSerializer
from slack_sdk import WebClient

from bot.listeners.forms import SHORTCUT
from bot.messages.runs.private_answer import SHOW_ACTION
from bot.messages.views.form import OPEN_FORM, RUN_COMMAND
from bot.state.next_steps import TABLE as TABLE_OF_STEPS
from imker import clock
from imker.protocol import codec, version
from imker.signing import SigningKey
from lab.processes import Processes, imker_environment
from lab.slack.client import VisibleMessage
from lab.slack.plain_text import view_text
from lab.slack.server_process import free_port, run_fake_slack
from lab.slack.state import DEFAULT_CONFIG
from tests.integration.conftest import HOST_CONFIG, _write_config
from tests.support.bot_harness import (
    GROUPS,
    HOSTS,
    IDS,
    KEY,
    LEI,
    OPS,
    SCENARIOS,
    TEAM,
    USER_PROFILES,
    BotHarness,
    form_values,
)
from tests.unit.bot.handlers.test_authorization_matrix import (
    ATTEMPTS,
    FORGERIES,
    STEP_NAMES,
    TABLE,
    change_groups,
    done_by,
    file_of,
    name,
)

CHANNELS = (OPS, LEI, "C02DEV", "D0ALICE", "")
VERDICTS = ("accept", "reject", "continue", "start", "cancel", "again")
NEXT = ("next ", "run.next.")  # of a next step's button: its label's first word, and its action ID's first part


def _row(*elements: dict[str, Any]) -> dict[str, Any]:
    return {"type": "actions", "elements": list(elements)}


def _button(label: str, action: str) -> dict[str, Any]:
    return {"type": "button", "action_id": action, "value": "-", "text": {"type": "plain_text", "text": label}}


STEPS = sorted({attempt["presses"] for attempt in ATTEMPTS if "presses" in attempt})
MENU = {
    "type": "overflow",
    "action_id": "run.more",
    "options": [{"text": {"type": "plain_text", "text": "menu"}, "value": "-"}],
}
CARD = [
    _row(*(_button(each, f"run.{each}") for each in VERDICTS)),
    *(_row(*(_button(f"{NEXT[0]}{each}", f"{NEXT[1]}{each}") for each in part)) for part in (STEPS[:20], STEPS[20:])),
    _row(MENU),
    _row(_button("Show to channel", SHOW_ACTION), _button("Run", f"{RUN_COMMAND}.nodes")),
    _row(_button("Open", f"{OPEN_FORM}.migrate")),
]
IN_MENU = {step.name for steps in TABLE_OF_STEPS.values() for step in steps if step.in_menu}
MALLORYS = SigningKey("x" * 64)
# What the bot has kept of a person for a minute comes first: who is in which group then. A bot set up otherwise, last.
ORDERED = sorted(ATTEMPTS, key=lambda attempt: (not attempt.get("groups"), bool(attempt.get("rights"))))


class World:
    """The bot process and the jobs it enqueued. `jobs`: (text, signature, whether an RQ worker may accept it)."""

    def __init__(self, stack: ExitStack, folder: Path) -> None:
        self._folder, self._port = folder, free_port()
        self.jobs: list[tuple[str, str, bool]] = []
        (folder / "slack.yaml").write_text(yaml.safe_dump(_workspace()))
        self.workspace = stack.enter_context(run_fake_slack(config=folder / "slack.yaml"))
        self.client = WebClient(token="xoxb-lab", base_url=f"{self.workspace.url}/api/")
        _write_config(folder, self._port)
        environment_values = {
            **imker_environment(self.workspace.url, folder / "imker.toml", folder / "redis"),
            "IMKER_SIGNING_KEY": "k" * 64,
        }
        self.processes = Processes(environment_values, folder / "log")
        stack.callback(self.processes.stop)
        self._rights: dict[str, Any] | None = None

    def with_rights(self, rights: dict[str, Any]) -> None:
        """Restart the bot with these changes to [rights]."""
        if rights == self._rights:
            return
        if "bot" in self.processes.by_name:
            self.processes.kill("bot")
            self.until(lambda: self.workspace.connection_count() == 0)
        changed = "".join(f"{key} = {str(value).lower()}\n" for key, value in rights.items())
        hosts = "".join(
            HOST_CONFIG.format(name=item, folder=self._folder, port=self._port, role="worker") for item in HOSTS
        )
        config = TABLE["config"].replace("[rights]\n", f"[rights]\n{changed}")
        inventory = f'[inventory]\nknown_hosts = "{self._folder}/known_hosts"\n'
        (self._folder / "imker.toml").write_text(config + inventory + hosts)
        self._rights = rights
        self.processes.start("bot")
        self.until(lambda: self.workspace.connection_count() > 0)
        self.redis = Redis(unix_socket_path=str(self._folder / "redis/redis.sock"))

    def bench(self, attempt: dict[str, Any]) -> BotHarness:
        """Return a harness on the same Redis whose question was asked `after` seconds ago."""
        self.redis.flushall()
        after, now = attempt.get("after", 0), clock.take_timestamp()
        after = after - 20 if 20 < after < 1800 else after  # a busy machine takes its time
        requested_at = replace(
            now, unix=now.unix - after - attempt.get("clock", 0), boot_seconds=now.boot_seconds - after
        )
        return BotHarness(self.redis, file_of(attempt), timestamp=requested_at, salt=name(attempt))

    def message(self, channel: str) -> str:
        blocks = CARD
        return str(self.client.chat_postMessage(channel=channel, text="a card", blocks=blocks)["ts"])

    def types(self, who: str, channel: str, text: str) -> None:
        self.workspace.say(IDS[who], channel, f"/swarm {text}")
        self._dealt_with()

    def presses(self, who: str, ts: str, verdict: str, value: str) -> None:
        """Press a button, or the menu if the step is in it, with this value in the payload."""
        card = VisibleMessage({"ts": ts, "blocks": CARD})
        if verdict.removeprefix(NEXT[0]) in IN_MENU:
            forged = {"value": f"{value}:{verdict.removeprefix(NEXT[0])}"}
            self.workspace.press(IDS[who], card, "menu", selected_option=forged)
        else:
            self.workspace.press(IDS[who], card, verdict, value=value)
        if verdict == "reject":
            self.submit_rejection(who, "")
        self._dealt_with()

    def submit_rejection(self, who: str, reason: str, metadata: str = "") -> None:
        """Submit the form behind Reject, unless the click was refused."""
        began = time.time()
        self.until(lambda: self.workspace.modal(IDS[who]) or self._any_reply(who, began))
        form = self.workspace.modal(IDS[who])
        if form and form["callback_id"] == "form.reject":
            values = {"reason": {"form.reason": {"type": "plain_text_input", "value": reason}}}
            forged = {"private_metadata": metadata} if metadata else {}
            self.workspace.submit(IDS[who], form["id"], values, **forged)

    def _any_reply(self, who: str, after: float) -> bool:
        return any(self.private_replies(who, channel, after - 1) for channel in CHANNELS)

    def submits(self, who: str, channel: str, text: str, metadata: str) -> None:
        """Open the form by the slash command, and submit it, unless it is refused."""
        began = time.time()
        self.workspace.say(IDS[who], channel, "/swarm")
        self.until(lambda: self.workspace.modal(IDS[who]) or self._any_reply(who, began))
        form = self.workspace.modal(IDS[who])
        if form and form["callback_id"] == "form.command":
            forged = {"private_metadata": metadata} if metadata else {}
            self.workspace.submit(IDS[who], form["id"], form_values(text), **forged)
        self._dealt_with()

    def metadata_of(self, who: str, open_form: Callable[[], object]) -> str:
        """Return the metadata of the form that this user opens, and close it."""
        open_form()
        self.until(lambda: self.workspace.modal(IDS[who]))
        form = self.workspace.modal(IDS[who])
        assert form is not None
        self.workspace.close_view(IDS[who], form)
        return str(form["private_metadata"])

    def presses_in_home(self, who: str, choice: str, value: str) -> None:
        """Press a button in the user's Home tab, which has all of them."""
        rows = [row for row in CARD if row["type"] == "actions"]
        self.client.views_publish(user_id=IDS[who], view={"type": "home", "blocks": rows})
        home = self.workspace.home(IDS[who])
        assert home is not None
        self.workspace.press_in_view(IDS[who], home, f"run.{choice}", value=value)
        if choice == "reject":
            self.submit_rejection(who, "")
        self._dealt_with()

    def shows(self, who: str, ts: str, value: str) -> None:
        """Press the button of a private answer with this value in the payload."""
        self.workspace.press(IDS[who], VisibleMessage({"ts": ts, "blocks": CARD}), "Show to channel", value=value)
        self._dealt_with()

    def runs(self, who: str, ts: str, text: str) -> None:
        """Press a button of the help with this command in the payload."""
        self.workspace.press(IDS[who], VisibleMessage({"ts": ts, "blocks": CARD}), "Run", value=text)
        self._dealt_with()

    def opens(self, who: str, channel: str, how: str, trigger: str) -> None:
        """Open the form, or get a reply."""
        began, user = time.time(), IDS[who]
        match how:
            case "command":
                self.workspace.say(user, channel, "/swarm")
            case "shortcut":
                self.workspace.use_shortcut(user, SHORTCUT, **({"trigger_id": trigger} if trigger else {}))
            case "help":
                card = VisibleMessage({"ts": self.message(channel), "blocks": CARD})
                self.workspace.press(user, card, "Open", value="migrate")
            case _:
                self.client.views_publish(user_id=user, view={"type": "home", "blocks": [CARD[-1]]})
                home = self.workspace.home(user)
                assert home is not None
                self.workspace.press_in_view(user, home, f"{OPEN_FORM}.migrate", value="migrate")
        self.until(lambda: self.workspace.modal(user) or self._any_reply(who, began))

    def chooses(self, who: str, command: str, metadata: str) -> None:
        """Choose a command in the user's form, with this metadata in the payload."""
        self.workspace.say(IDS[who], OPS, "/swarm")
        self.until(lambda: self.workspace.modal(IDS[who]))
        form = self.workspace.modal(IDS[who])
        assert form is not None
        began = time.time()
        self.workspace.choose(IDS[who], form, "command", command, private_metadata=metadata)
        self.until(lambda: self._any_reply(who, began))

    def close_modals(self) -> None:
        for user in filter(None, IDS.values()):
            self.workspace.close_modals(user)

    def private_replies(self, who: str, channel: str, after: float) -> list[str]:
        """Return the ephemeral replies. The fake Slack shows replies to unknown users to everyone."""
        visible = [
            message for message in self.workspace.visible_messages(IDS[who], channel) if float(message.ts) > after
        ]
        modal = self.workspace.modal(IDS[who]) if IDS[who] else None
        modal_texts = [view_text(modal)] if modal and "submit" not in modal else []
        return [*modal_texts, *(message.text for message in visible if message.ephemeral or not IDS[who])]

    def until(self, true: Any) -> None:
        deadline = time.monotonic() + 60
        while not true():
            assert time.monotonic() < deadline, (self._folder / "log").read_text()
            time.sleep(0.02)

    def _dealt_with(self) -> None:
        """Wait until the inbox is empty. The bot acknowledges early but removes a delivery only when it is handled."""
        self.until(lambda: self.redis.scard("bot:inbox") == 0)


def _workspace() -> dict[str, Any]:
    document = yaml.safe_load(DEFAULT_CONFIG.read_text())
    strangers = {IDS["unknown"]: {"is_stranger": True}, IDS["anonymous"]: {"is_stranger": True}}
    users = [
        {"name": who, "id": user_id, **USER_PROFILES.get(user_id, {}), **strangers.get(user_id, {})}
        for who, user_id in IDS.items()
    ]
    members = [document["app"]["bot_user"], *IDS.values()]
    return {
        "team": {**document["team"], "id": TEAM},
        "app": {**document["app"], "manifest": str((DEFAULT_CONFIG.parent / document["app"]["manifest"]).resolve())},
        "users": [document["users"][0], *users],
        "groups": [{"id": group, "name": group, "users": inside} for group, inside in GROUPS.items()],
        "channels": [{"id": channel, "name": channel, "members": members} for channel in CHANNELS],
    }


@pytest.fixture(scope="module")
def world(folder: Path) -> Iterator[World]:
    with ExitStack() as stack:
        yield World(stack, folder)


@pytest.mark.parametrize("attempt", ORDERED, ids=name)
def test_attempt(world: World, attempt: dict[str, Any]) -> None:
    world.with_rights(attempt.get("rights", {}))
    world.close_modals()
    bench, channel, run = world.bench(attempt), attempt.get("in", OPS), ""
    if "state" in attempt:
        run, own_channel = bench.create_run(attempt["state"], attempt.get("needed", 1)), SCENARIOS[attempt["state"]][2]
        bench.runs.posted_messages.update(run, ts=world.message(own_channel))
    for who, button in attempt.get("first", ()):
        label = f"{NEXT[0]}{button}" if button in STEP_NAMES else button
        world.presses(who, bench.runs.posted_messages.get(run)["ts"], label, f"{run}:1")
    jobs, decisions, changes = bench.enqueued_requests(), bench.decision_keys(), bench.run_changes()
    recorded, since = len(bench.audit_facts()), time.time()
    with _groups(world, attempt.get("groups", "")), _stopped_by_slack(attempt["who"] == "gone"):
        _try(world, bench, attempt, run)
    result = done_by(bench, jobs, decisions, changes)
    replies = world.private_replies(attempt["who"], channel, since)
    assert result == attempt.get("does", "nothing"), replies
    if "again" in (attempt.get("clicks"), attempt.get("home")):
        assert ["no longer works" in reply for reply in replies] == [True], "the bot shows no such button"
        return
    if attempt["who"] == "gone":
        assert (replies, len(bench.audit_facts())) == ([], recorded), "a deactivated user clicks no button"
        return
    # Of people without any right one a minute and kind is recorded, and this bot has seen them before.
    change_groups(bench, attempt.get("groups", ""))
    outsider = bench.handler.access.outsider_kind(IDS[attempt["who"]])
    is_recorded = not outsider and "trigger" not in attempt  # Slack refuses a foreign trigger, not Imker
    world.until(lambda: not is_recorded or len(bench.audit_facts()) > recorded)  # a form is refused before that
    if "says" in attempt:
        assert attempt["says"].replace("{run}", run) in "\n".join(replies)
    for job in set(bench.enqueued_requests()) - set(jobs):
        world.jobs += _as_it_reaches_the_workers(*bench.job_arguments(job), attempt.get("job", "as it is"))


def test_rq_workers_accept_only_signed_fresh_jobs_once(world: World) -> None:
    """Run last in this file: it uses the jobs of all tests above."""
    assert {may for _, _, may in world.jobs} == {True, False}, "the table was played"
    world.redis.flushall()
    for queue in (version.CHANGES_QUEUE, version.READS_QUEUE):
        world.processes.start(queue)
    queued: list[tuple[Job, str, bool]] = []
    requested: set[tuple[str, int]] = set()
    for number, (text, signature, may) in enumerate(world.jobs):
        request = codec.decode_request(text)
        if (request.run, request.job) in requested:
            for job, _, _ in queued:  # a replay is one when what it repeats was taken up: RQ workers keep no order
                _ended(world, job)
        at = Queue(request.command.queue, connection=world.redis, serializer=JSONSerializer)
        job = at.enqueue(version.JOB_FUNCTION, args=(text, signature), job_id=f"job-{number}")
        requested.add((request.run, request.job))
        queued.append((job, text, may))
    for job, text, may in queued:
        assert (_ended(world, job) is JobStatus.FINISHED) is may, text


def _ended(world: World, job: Job) -> JobStatus:
    world.until(lambda: job.get_status(refresh=True) in (JobStatus.FINISHED, JobStatus.FAILED))
    return job.get_status()


@contextmanager
def _stopped_by_slack(stopped: bool) -> Iterator[None]:
    """Expect that Slack itself rejects a deactivated account."""
    with pytest.raises(HTTPStatusError, match="409") if stopped else nullcontext():
        yield


@contextmanager
def _groups(world: World, change: str) -> Iterator[None]:
    """Change what Slack returns for user groups during an attempt."""
    if change == "unreadable":
        world.workspace.set_fault("server_error", method="usergroups.users.list", times=-1)
    elif change:
        world.workspace.set_group("S02LEI")
    yield
    world.workspace.clear_faults()
    world.workspace.set_group("S02LEI", *GROUPS["S02LEI"])


def _try(world: World, bench: BotHarness, attempt: dict[str, Any], run: str) -> None:
    channel, twice = attempt.get("in", OPS), attempt.get("twice", False)
    if "types" in attempt:
        if twice:
            world.workspace.set_fault("repeat", method="socket")
        return world.types(attempt["who"], channel, attempt["types"].replace("{run}", run))
    who, form_of, metadata = attempt["who"], attempt.get("form_of", ""), attempt.get("metadata", "")
    if "submits" in attempt:
        if form_of:
            metadata = world.metadata_of(form_of, lambda: world.workspace.say(IDS[form_of], channel, "/swarm"))
        return world.submits(who, channel, attempt["submits"], metadata)
    if "chooses" in attempt:
        if form_of:
            metadata = world.metadata_of(form_of, lambda: world.workspace.say(IDS[form_of], OPS, "/swarm"))
        return world.chooses(who, attempt["chooses"], metadata)
    if "opens" in attempt:
        return world.opens(who, channel, attempt["opens"], attempt.get("trigger", ""))
    if "runs" in attempt:
        return world.runs(who, world.message(channel), attempt["runs"])
    if "shows" in attempt:
        ts, value = world.message(channel), attempt.get("value", "{run}").replace("{run}", run)
        for _ in range(1 + twice):
            world.shows(who, ts, value)
        return None
    value = attempt.get("value", "{run}:1").replace("{run}", run)
    if "home" in attempt:
        return world.presses_in_home(who, attempt["home"], value)
    position = bench.runs.posted_messages.get(run)
    another = "message" in attempt or position["channel"] != channel
    ts = world.message(channel) if another else position["ts"]
    if "rejects" in attempt:
        card = VisibleMessage({"ts": ts, "blocks": CARD})
        if form_of:
            metadata = world.metadata_of(
                form_of, lambda: world.workspace.press(IDS[form_of], card, "reject", value=value)
            )
        world.workspace.press(IDS[who], card, "reject", value=value)
        world.submit_rejection(who, attempt["rejects"], metadata)
        return world._dealt_with()
    for _ in range(1 + twice):
        label = f"{NEXT[0]}{attempt['presses']}" if "presses" in attempt else attempt["clicks"]
        world.presses(attempt["who"], ts, label, attempt.get("value", "{run}:1").replace("{run}", run))
    return None


def _as_it_reaches_the_workers(text: str, signature: str, how: str) -> list[tuple[str, str, bool]]:
    """Return the job as an attacker forwards it; both copies of a replay."""
    request = codec.decode_request(text)
    if how in FORGERIES:
        return [(codec.encode_message(FORGERIES[how](request)), signature, False)]
    if how == "two days late":
        late = codec.encode_message(replace(request, expires_at=time.time() - 1))
        return [(late, KEY.sign(late), False)]
    forged = {"another key": MALLORYS.sign(text), "unsigned": ""}
    if how in forged:
        return [(text, forged[how], False)]
    return [(text, signature, True), (text, signature, False)][: 1 + (how == "replayed")]
