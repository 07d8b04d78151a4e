"""Format help, refusals, and usage errors."""

from collections.abc import Iterator
from typing import Any, get_args

from redis import Redis

from bot.auth.policy import REFUSAL_TEXT, Kind
from bot.commands.table import COMMANDS
from tests.golden.private_replies import PEOPLE, RIGHTS, create_harness, replies, reply
from tests.golden.text_layout import page
from tests.support.bot_harness import IDS, BotHarness, FakeUsersApi


def help_texts(redis: Redis) -> str:
    sections = [reply(create_harness(redis), f"{who} ({may}): /swarm help", "types", who, "help")
             for who, may in PEOPLE.items()]  # fmt: skip
    empty = create_harness(redis)
    empty.redis.delete("imker:inventory")
    return page(*sections, reply(empty, "alice, while no host is known: /swarm", "types", "alice", ""))


# --- refusals -------------------------------------------------------------------------------------------------------

KINDS: dict[Kind, str] = {
    "guest": "guest", "bot": "flow", "deactivated": "gone", "external": "other", "unknown": "grace",
}  # fmt: skip


def refusals(redis: Redis) -> str:
    assert set(KINDS) == set(REFUSAL_TEXT) == set(get_args(Kind)) - {"member"}
    kinds = [reply(_silent(create_harness(redis), who), f"{who} ({kind}): /swarm nodes", "types", who, "nodes")
             for kind, who in KINDS.items()]  # fmt: skip
    elsewhere = replies(create_harness(redis), ("alice", "nodes"), channel="C09ELSE")
    nowhere = replies(create_harness(redis, RIGHTS.replace('["C01OPS", "C04LEI"]', "[]")), ("alice", "nodes"))
    rights = [
        line
        for verb in COMMANDS
        if verb.right
        for line in replies(create_harness(redis), ("heidi", _fill_example(verb.example)))
    ]
    hosts = replies(create_harness(redis), ("erin", "migrate kaditz"), ("erin", "migrate all"), ("erin", "hosts"))
    groups = create_harness(redis)
    groups.slack.groups = None
    unknown = replies(groups, ("heidi", "migrate kaditz"))
    return page(*kinds, *elsewhere, *nowhere, *rights, *hosts, *unknown, *_answers_refused(redis))


def _fill_example(example: str) -> str:
    return example.format(host="kaditz")


def _silent(harness: BotHarness, who: str) -> BotHarness:
    """Let Slack return nothing about `grace`."""

    class Silent(FakeUsersApi):
        def users_info(self, user: str) -> dict[str, Any]:
            if user == IDS["grace"]:
                raise OSError("no answer")
            return super().users_info(user)

    return BotHarness(harness.redis, harness.file, Silent()) if who == "grace" else harness


def _answers_refused(redis: Redis) -> Iterator[str]:
    """Return refused decisions: without the right, self-approved, late, repeated, and for another question."""
    for state in ("pending", "warned", "fleet", "stop", "store"):
        harness = create_harness(redis)
        run = harness.create_run(state)
        yield reply(harness, f"heidi presses a button of run {state}", "clicks", "heidi", f"{run}:1", _yes(state))
    harness = create_harness(redis)
    run = harness.create_run("pending")
    yield reply(harness, "alice accepts what alice asked for", "clicks", "alice", f"{run}:1", "accept")
    yield reply(harness, "bob answers another question", "clicks", "bob", f"{run}:1", "start")
    yield reply(harness, "bob asks again before it expired", "clicks", "bob", f"{run}:1", "again")
    yield reply(harness, "bob presses a button of no message", "clicks", "bob", f"{run}:1", "accept", message="1")
    yield reply(harness, "bob types continue", "types", "bob", f"continue {run}")
    harness.advance_clock(1801)
    yield reply(harness, "bob accepts after it expired", "clicks", "bob", f"{run}:1", "accept")
    harness = create_harness(redis)
    run = harness.create_run("pending", needed=2)
    yield reply(harness, "bob accepts, the first of two", "clicks", "bob", f"{run}:1", "accept")
    yield reply(harness, "bob accepts again, of two", "clicks", "bob", f"{run}:1", "accept")
    harness = create_harness(redis)
    run = harness.create_run("warned")
    yield reply(harness, "bob continues", "clicks", "bob", f"{run}:1", "continue")
    yield reply(harness, "dave continues the same", "clicks", "dave", f"{run}:1", "continue")
    running = harness.create_run("running")
    yield reply(harness, "bob answers a run that asks nothing", "clicks", "bob", f"{running}:1", "continue")


def _yes(state: str) -> Any:
    return {"pending": "accept", "fleet": "start"}.get(state, "continue")


# --- usage errors ---------------------------------------------------------------------------------------------------

MISTYPED = (
    "x" * 301, "frobnicate", "migrat kaditz", "node", "help me", "hosts all", "nodes --all", "doctor kaditz",
    "migrate", "plan", "migrate kaditz --force", "migrate kaditz --manger", "migrate kaditz --manager --worker",
    "migrate kaditz manager", "migrate kaditz tondi", "migrate ../etc", "migrate kadits", "migrate nowhere",
    "migrate all kaditz", "migrate all --witout kaditz", "migrate all --without", "migrate all --without k_d",
    "migrate all --without kadits", "accept", "accept a b", "accept --force abc", "reject abc --remov", "continue",
    "continue x!", "pause a b", "pause --now", "resume x!", "cancel", "retry", "retry a --now", "start", "start --now",
    "start kaditz", "start kaditz a/b", "start nowhere web", "retire", "retire --now", "retire kaditz tondi",
    "status a b", "status --all", "status x!", "audit a b", "audit @alice", "audit --all",
)  # fmt: skip


def usage_errors(redis: Redis) -> str:
    harness = create_harness(redis)
    named = [(text if len(text) < 50 else "(301 characters)", text) for text in MISTYPED]
    sections = [reply(harness, f"alice: /swarm {name}", "types", "alice", text) for name, text in named]
    denied = replies(
        harness, ("guest", "frobnicate"), ("erin", "migrate kadits"), ("erin", "migrate lei-3"), ("erin", "plan")
    )
    return page(*sections, *denied)
