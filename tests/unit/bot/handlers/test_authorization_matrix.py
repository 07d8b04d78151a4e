"""A table of attempts: those that the configuration allows have an effect, all others get only a private reply."""

import json
import re
import tomllib
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from redis import Redis

from bot.commands.form_fields import form_commands
from bot.commands.table import BY_NAME
from bot.listeners import register
from bot.settings import File
from bot.state.next_steps import SUGGESTIONS
from bot.state.next_steps import TABLE as TABLE_OF_STEPS
from imker import signing
from imker.protocol import codec, commands
from imker.protocol.commands import Approval, Request
from imker.protocol.node_commands import UpgradeAll
from imker.signing import SigningKey
from jobs import admission
from tests.support.bot_harness import GROUPS, HOSTS, IDS, KEY, OPS, TS, BotHarness, parse_settings_file

TABLE = tomllib.loads((Path(__file__).parents[3] / "data/attempts.toml").read_text())
ATTEMPTS: list[dict[str, Any]] = TABLE["attempts"]
DAY = 24 * 3600
IN_A_CHANNEL = ("command", "help")  # ways to open the form; the shortcut and Home have no channel
WHOLE_FLEET = (commands.ListHosts, commands.ListNodes, commands.MigrateAll, UpgradeAll, commands.RunDoctor)
STEP_NAMES = {
    step.name for steps in (*TABLE_OF_STEPS.values(), tuple(SUGGESTIONS.values())) for step in steps if not step.choice
}


def name(attempt: dict[str, Any]) -> str:
    return " ".join(f"{key}={value}" for key, value in attempt.items() if key not in ("says", "does", "taken"))


def test_the_table_has_enough_attempts_and_no_duplicates() -> None:
    assert len(ATTEMPTS) >= 60
    assert len({name(attempt) for attempt in ATTEMPTS}) == len(ATTEMPTS)


@pytest.mark.parametrize("attempt", [each for each in ATTEMPTS if "trigger" not in each], ids=name)
def test_only_allowed_attempts_have_an_effect(redis: Redis, attempt: dict[str, Any]) -> None:
    bench = BotHarness(redis, file_of(attempt))
    run = bench.create_run(attempt["state"], attempt.get("needed", 1)) if "state" in attempt else ""
    for who, button in attempt.get("first", ()):
        press = bench.presses if button in STEP_NAMES else bench.clicks
        press(who, f"{run}:1", button)  # type: ignore[operator]
    assert not [reply for reply in bench.replies if reply.refusal], "the earlier decisions are allowed"
    bench.replies.clear()
    bench.advance_clock(attempt.get("after", 0), attempt.get("clock", 0))
    change_groups(bench, attempt.get("groups", ""))
    jobs, decisions, changes = bench.enqueued_requests(), bench.decision_keys(), bench.run_changes()
    before = {key: redis.dump(key) for key in redis.keys("*") if not key.startswith(b"audit")}
    recorded = len(bench.audit_facts())
    _try(bench, attempt, run)
    (what, *_) = [fact.kind for fact in bench.audit_facts()[recorded:]]
    result = done_by(bench, jobs, decisions, changes)
    assert result == attempt.get("does", "nothing"), [message.text for message in bench.replies]
    assert what in ("asked", "decided", "held") or result == "nothing", (
        "an attempt that has an effect is not recorded as a refusal"
    )
    if "says" in attempt:
        (answer,) = bench.replies
        assert attempt["says"].replace("{run}", run) in answer.text
    if result == "nothing":
        assert {key: redis.dump(key) for key in redis.keys("*") if not key.startswith(b"audit")} == before, (
            "nothing but the audit log was written"
        )
    if "taken" in attempt:
        (fresh,) = set(bench.enqueued_requests()) - set(jobs)
        assert _is_admitted(bench, fresh, attempt["job"]) is attempt["taken"]


def file_of(attempt: dict[str, Any]) -> File:
    file = parse_settings_file(TABLE["config"])
    return file.model_copy(update={"rights": file.rights.model_copy(update=attempt.get("rights", {}))})


def change_groups(bench: BotHarness, change: str) -> None:
    if change == "unreadable":
        bench.slack.groups = None
    elif change:
        bench.slack.groups = {**GROUPS, "S02LEI": []}


def _try(bench: BotHarness, attempt: dict[str, Any], run: str) -> None:
    channel = attempt.get("in", OPS)
    for _ in range(1 + attempt.get("twice", False)):
        if "types" in attempt:
            bench.types(attempt["who"], attempt["types"].replace("{run}", run), channel, delivery="once")
        elif "submits" in attempt:
            form_of, metadata = attempt.get("form_of", ""), attempt.get("metadata", "")
            bench.submits(attempt["who"], attempt["submits"], channel, form_of, metadata)
        elif "rejects" in attempt:
            value = attempt.get("value", "{run}:1").replace("{run}", run)
            form_of, metadata = attempt.get("form_of", ""), attempt.get("metadata", "")
            bench.rejects(attempt["who"], value, attempt["rejects"], form_of, channel, metadata)
        elif "shows" in attempt:
            value = attempt.get("value", "{run}").replace("{run}", run)
            bench.shows(attempt["who"], value, channel)
        elif "runs" in attempt:
            bench.types(attempt["who"], attempt["runs"], channel, delivery="once")
        elif "opens" in attempt:
            bench.opens(attempt["who"], channel if attempt["opens"] in IN_A_CHANNEL else "")
        elif "chooses" in attempt:
            form_of, metadata = attempt.get("form_of", ""), attempt.get("metadata", "")
            bench.chooses(attempt["who"], attempt["chooses"], form_of, metadata)
        elif "home" in attempt:
            value = attempt.get("value", "{run}:1").replace("{run}", run)
            bench.clicks(attempt["who"], value, attempt["home"], "", "", home=True)
        else:
            value = attempt.get("value", "{run}:1").replace("{run}", run)
            press = bench.presses if "presses" in attempt else bench.clicks
            press(attempt["who"], value, button_of(attempt), channel, attempt.get("message", TS))  # type: ignore[operator]


def button_of(attempt: dict[str, Any]) -> str:
    """Return the name of the next step that is pressed, or the choice that is clicked."""
    return str(attempt.get("presses") or attempt["clicks"])


def test_the_attempts_submit_every_command_of_the_form() -> None:
    submitted = {attempt["submits"] for attempt in ATTEMPTS if "submits" in attempt}
    for spec in form_commands(BY_NAME):
        assert any(f"{text} ".startswith(f"{spec.name} ") for text in submitted), spec.name


def test_who_is_not_in_the_channel_decides_nothing_in_home(redis: Redis) -> None:
    bench = BotHarness(redis, parse_settings_file(TABLE["config"]))
    run = bench.create_run("pending")
    bench.slack.outside = {OPS: (IDS["bob"],)}
    bench.clicks("bob", f"{run}:1", "accept", "", "", home=True)
    assert "You aren't a member" in bench.replies[0].text
    assert bench.decision_keys() == set()


class Registry:
    """Stand for a Bolt app, and record what is registered: the kind, and the ID or the pattern of IDs."""

    def __init__(self) -> None:
        self.entries: set[tuple[str, str]] = set()

    def __getattr__(self, kind: str) -> Any:
        def register(constraint: str | re.Pattern[str], **_: Any) -> Any:
            self.entries.add((kind, getattr(constraint, "pattern", constraint)))
            return lambda listener: listener

        return register


# What Slack delivers to the bot, and the attempts that use it: a field of the row, and its value.
USES = {
    ("command", "/swarm"): "types", ("event", "app_mention"): "types",
    ("action", "run.accept"): "clicks=accept home=accept", ("action", "run.reject"): "clicks=reject home=reject",
    ("action", "run.continue"): "clicks=continue home=continue", ("action", "run.start"): "clicks=start home=start",
    ("action", "run.cancel"): "clicks=cancel home=cancel", ("action", r"^run\.next\.[a-z_]+$"): "presses",
    ("action", "run.more"): "presses=pause presses=details", ("action", "run.show"): "shows",
    ("action", r"^command\.run\."): "runs", ("action", r"^form\.open\."): "opens=help opens=home",
    ("action", "form.choose"): "chooses", ("shortcut", "swarm_form"): "opens=shortcut",
    ("view", "form.command"): "submits", ("view", "form.reject"): "rejects", ("action", ""): "clicks=again",
}  # fmt: skip
IN_OTHER_TESTS = {("options", "form.host"), ("view", ""), ("shortcut", "")}


def test_the_attempts_use_every_button_form_and_shortcut() -> None:
    """Each is refused in an attempt."""
    registry, forms = Registry(), SimpleNamespace(open_reject=None)
    register(cast(Any, registry), cast(Any, None), cast(Any, forms))
    assert registry.entries == {*USES, *IN_OTHER_TESTS}
    refused = [attempt for attempt in ATTEMPTS if "says" in attempt and "does" not in attempt]
    for field, _, value in (use.partition("=") for uses in USES.values() for use in uses.split()):
        assert [attempt for attempt in refused if field in attempt and value in ("", attempt[field])], (field, value)


@pytest.mark.parametrize(
    ("who", "form_of", "expected"),
    [("carol", "carol", HOSTS), ("ivan", "ivan", ("lei-1", "lei-2")), ("carol", "alice", ()), ("guest", "alice", ())],
)
def test_a_form_finds_only_hosts_that_its_user_may_plan(
    redis: Redis, who: str, form_of: str, expected: tuple[str, ...]
) -> None:
    bench = BotHarness(redis, parse_settings_file(TABLE["config"]))
    view = bench.forms.command_form(IDS[form_of], OPS, "plan")
    assert isinstance(view, dict)
    options = bench.forms.host_options(IDS[who], {**view, "id": "V01"}, "")
    assert tuple(option["value"] for option in options) == expected


def test_the_attempts_press_every_step_of_the_table() -> None:
    pressed = {attempt["presses"] for attempt in ATTEMPTS if "presses" in attempt}
    assert pressed >= STEP_NAMES


def done_by(bench: BotHarness, jobs: dict[str, Request], decisions: set[str], changes: set[str]) -> str:
    """Return the effect of an attempt: the enqueued job, a decision, a change of a run or of the watch, or "nothing".

    `jobs`, `decisions`, `changes`: those before it.
    """
    fresh = [request for job, request in bench.enqueued_requests().items() if job not in jobs]
    assert len(fresh) <= 1
    if fresh:
        (request,) = fresh
        assert isinstance(request.command, WHOLE_FLEET) == (
            request.allowed_hosts == ("*",) and request.command.type not in ("accept", "reject")
        ), "a job may reach only the host it is about"
        if isinstance(request.command, commands.Accept) and request.job > 1 and not request.approvals:
            return "ask again"
        if (services := getattr(request.command, "services", None)) is not None:
            assert request.allowed_hosts == (), "a job on services may reach no host"
            return f"{request.command.type} {' '.join(services)} of {' '.join(request.allowed_services)}"
        host = getattr(request.command, "host", "") or (request.allowed_hosts[0] if request.job > 1 else "")
        return f"{request.command.type} {host}".strip()
    new_decisions = bench.decision_keys() - decisions
    if new_decisions:
        (key,) = new_decisions
        verdict = str(json.loads(signing.open_signed(KEY, key, bench.redis.get(key)) or "")["choice"])
        return "vote" if verdict == "accept" else verdict
    return next(iter(bench.run_changes() - changes), _watch_change(bench) or "nothing")


def _watch_change(bench: BotHarness) -> str:
    """Return how a user has changed the watch, "" for not at all."""
    mode = bench.runs.watch.mode()
    if not mode.user:
        return ""
    return "watch off" if not mode.is_on else "watch mute" if mode.muted_until else "watch on"


FORGERIES: dict[str, Any] = {
    "another host": lambda request: replace(request, command=commands.Migrate("tondi"), allowed_hosts=("tondi",)),
    "another asker": lambda request: replace(request, requester=IDS["dave"]),
    "another approver": lambda request: replace(request, approvals=(Approval(IDS["dave"], "f00d", 0.0),)),
    "another digest": lambda request: replace(request, approvals=(Approval(IDS["bob"], "beef", 0.0),)),
}


def _is_admitted(bench: BotHarness, job: str, how: str) -> bool:
    """Return whether an RQ worker admits the job after it was tampered with in this way."""
    text, signature = bench.job_arguments(job)
    if how in FORGERIES:
        text = codec.encode_message(FORGERIES[how](codec.decode_request(text)))
    if how == "another key":
        signature = SigningKey("x" * 64).sign(text)
    if how == "replayed":
        admission.admit(text, signature, KEY, bench.redis, bench.timestamp.unix)
    late = 2 * DAY if how == "two days late" else 0
    try:
        admission.admit(text, "" if how == "unsigned" else signature, KEY, bench.redis, bench.timestamp.unix + late)
    except admission.JobRejected:
        return False
    return True
