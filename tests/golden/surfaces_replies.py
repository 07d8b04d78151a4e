"""Help, refusals and usage errors. Text per surface."""

from collections.abc import Iterator
from typing import Any, get_args

from redis import Redis

from bot.policy import REFUSED, Kind
from bot.verbs import VERBS
from tests.bot.desk import IDS, Bench, SimulatedSlack
from tests.golden.page import page
from tests.golden.people import PEOPLE, RIGHTS, bench, replies, reply


def help_texts(redis: Redis) -> str:
    shown = [reply(bench(redis), f"{who} ({may}): /swarm help", "types", who, "help")
             for who, may in PEOPLE.items()]  # fmt: skip
    empty = bench(redis)
    empty.redis.delete("imker:inventory")
    return page(*shown, reply(empty, "alice, while no host is known: /swarm", "types", "alice", ""))


# --- refusals -------------------------------------------------------------------------------------------------------

KINDS: dict[Kind, str] = {
    "guest": "guest", "bot": "flow", "deactivated": "gone", "stranger": "other", "untold": "grace",
}  # fmt: skip


def refusals(redis: Redis) -> str:
    assert set(KINDS) == set(REFUSED) == set(get_args(Kind)) - {"member"}
    kinds = [reply(_silent(bench(redis), who), f"{who} ({kind}): /swarm nodes", "types", who, "nodes")
             for kind, who in KINDS.items()]  # fmt: skip
    elsewhere = replies(bench(redis), ("alice", "nodes"), channel="C09ELSE")
    nowhere = replies(bench(redis, RIGHTS.replace('["C01OPS", "C04LEI"]', "[]")), ("alice", "nodes"))
    rights = [line for verb in VERBS if verb.right for line in replies(bench(redis), ("heidi", _typed(verb.example)))]
    hosts = replies(bench(redis), ("erin", "migrate kaditz"), ("erin", "migrate all"), ("erin", "hosts"))
    groups = bench(redis)
    groups.slack.groups = None
    unknown = replies(groups, ("heidi", "migrate kaditz"))
    return page(*kinds, *elsewhere, *nowhere, *rights, *hosts, *unknown, *_answers_refused(redis))


def _typed(example: str) -> str:
    return example.format(host="kaditz")


def _silent(made: Bench, who: str) -> Bench:
    """Let Slack say nothing of `grace`."""

    class Silent(SimulatedSlack):
        def users_info(self, user: str) -> dict[str, Any]:
            if user == IDS["grace"]:
                raise OSError("no answer")
            return super().users_info(user)

    return Bench(made.redis, made.file, Silent()) if who == "grace" else made


def _answers_refused(redis: Redis) -> Iterator[str]:
    """Answers to questions: without the right, one's own, too late, twice, and of another question."""
    for state in ("pending", "warned", "fleet", "stop", "store"):
        made = bench(redis)
        run = made.run(state)
        yield reply(made, f"heidi presses a button of run {state}", "clicks", "heidi", f"{run}:1", _yes(state))
    made = bench(redis)
    run = made.run("pending")
    yield reply(made, "alice accepts what alice asked for", "clicks", "alice", f"{run}:1", "accept")
    yield reply(made, "bob answers another question", "clicks", "bob", f"{run}:1", "start")
    yield reply(made, "bob asks again before it expired", "clicks", "bob", f"{run}:1", "again")
    yield reply(made, "bob presses a button of no message", "clicks", "bob", f"{run}:1", "accept", message="1")
    yield reply(made, "bob types continue", "types", "bob", f"continue {run}")
    made.later(1801)
    yield reply(made, "bob accepts after it expired", "clicks", "bob", f"{run}:1", "accept")
    made = bench(redis)
    run = made.run("pending", needed=2)
    yield reply(made, "bob accepts, the first of two", "clicks", "bob", f"{run}:1", "accept")
    yield reply(made, "bob accepts again, of two", "clicks", "bob", f"{run}:1", "accept")
    made = bench(redis)
    run = made.run("warned")
    yield reply(made, "bob continues", "clicks", "bob", f"{run}:1", "continue")
    yield reply(made, "dave continues the same", "clicks", "dave", f"{run}:1", "continue")
    running = made.run("running")
    yield reply(made, "bob answers a run that asks nothing", "clicks", "bob", f"{running}:1", "continue")


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
    made = bench(redis)
    named = [(text if len(text) < 50 else "(301 characters)", text) for text in MISTYPED]
    shown = [reply(made, f"alice: /swarm {name}", "types", "alice", text) for name, text in named]
    denied = replies(
        made, ("guest", "frobnicate"), ("erin", "migrate kadits"), ("erin", "migrate lei-3"), ("erin", "plan")
    )
    return page(*shown, *denied)
