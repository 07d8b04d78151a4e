"""What the bot replies in private: help, refusals, usage errors, status, the audit table. Text per surface."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, get_args

from redis import Redis
from redis.exceptions import ConnectionError as NoConnection
from redis.exceptions import OutOfMemoryError, ReadOnlyError, RedisError, ResponseError

from bot import answers, audit_table, reception
from bot.decisions import Forged
from bot.inbox import LATE, LEFT, Delivery, Inbox
from bot.kit import Message
from bot.limit import Limit
from bot.policy import REFUSED, Kind
from bot.verbs import VERBS
from imker import chain
from imker.audit import RecordBroken
from imker.chain import Fact, Head
from jobs.contract import Candidate, Quorum, Waiting
from tests.bot.desk import IDS, KEY, NODE, Bench, SimulatedSlack, configured
from tests.bot.desk import STATES as RUNS
from tests.golden.page import message, page, section

AT = 1_795_440_000.0
RIGHTS = """
[slack]
channels = ["C01OPS", "C04LEI"]
[rights]
read = ["U08DAVE", "U01ALICE"]
change = ["U01ALICE", "S01STAFF"]
accept = ["U02BOB", "U01ALICE"]
[[rights.rule]]
who = ["U05ERIN"]
verbs = ["plan", "migrate", "status", "continue"]
hosts = ["lei-*"]
[[rights.rule]]
who = ["U06FRANK"]
verbs = ["audit", "hosts"]
channels = ["C04LEI"]
"""
PEOPLE = {
    "alice": "read, change and accept", "bob": "accept, and change by a group", "dave": "read, and change by a group",
    "erin": "plan, migrate, status and continue on lei-*", "frank": "audit and hosts, in another channel",
    "heidi": "nothing",
}  # fmt: skip


def bench(redis: Redis, rights: str = RIGHTS) -> Bench:
    redis.flushall()
    return Bench(redis, configured(rights))


def replies(bench: Bench, *typed: tuple[str, str], channel: str = "C01OPS") -> list[str]:
    """Type each command as that person, and return what each hears."""
    return [_reply(bench, f"{who}: /swarm {text}", lambda b: b.types(who, text, channel)) for who, text in typed]


def _reply(bench: Bench, title: str, act: Any) -> str:
    bench.heard.clear()
    act(bench)
    said = [message(one.text, one.blocks, *_kind(one)) for one in bench.heard]
    return section(title, *(said or ["(no private reply)"]))


def _kind(said: Message) -> list[str]:
    return [f"refusal: {said.refusal}"] if said.refusal else []


def help_texts(redis: Redis) -> str:
    shown = [_reply(bench(redis), f"{who} ({may}): /swarm help", lambda b: b.types(who, "help"))
             for who, may in PEOPLE.items()]  # fmt: skip
    empty = bench(redis)
    empty.redis.delete("imker:inventory")
    return page(*shown, _reply(empty, "alice, while no host is known: /swarm", lambda b: b.types("alice", "")))


# --- refusals -------------------------------------------------------------------------------------------------------

KINDS: dict[Kind, str] = {
    "guest": "guest", "bot": "flow", "deactivated": "gone", "stranger": "other", "untold": "grace",
}  # fmt: skip


def refusals(redis: Redis) -> str:
    assert set(KINDS) == set(REFUSED) == set(get_args(Kind)) - {"member"}
    kinds = [_reply(_silent(bench(redis), who), f"{who} ({kind}): /swarm nodes", lambda b: b.types(who, "nodes"))
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
        yield _reply(
            made, f"heidi presses a button of run {state}", lambda b: b.clicks("heidi", f"{run}:1", _yes(state))
        )
    made = bench(redis)
    run = made.run("pending")
    yield _reply(made, "alice accepts what alice asked for", lambda b: b.clicks("alice", f"{run}:1", "accept"))
    yield _reply(made, "bob answers another question", lambda b: b.clicks("bob", f"{run}:1", "start"))
    yield _reply(made, "bob asks again before it expired", lambda b: b.clicks("bob", f"{run}:1", "again"))
    yield _reply(
        made, "bob presses a button of no message", lambda b: b.clicks("bob", f"{run}:1", "accept", message="1")
    )
    yield _reply(made, "bob types continue", lambda b: b.types("bob", f"continue {run}"))
    made.later(1801)
    yield _reply(made, "bob accepts after it expired", lambda b: b.clicks("bob", f"{run}:1", "accept"))
    made = bench(redis)
    run = made.run("pending", needed=2)
    yield _reply(made, "bob accepts, the first of two", lambda b: b.clicks("bob", f"{run}:1", "accept"))
    yield _reply(made, "bob accepts again, of two", lambda b: b.clicks("bob", f"{run}:1", "accept"))
    made = bench(redis)
    run = made.run("warned")
    yield _reply(made, "bob continues", lambda b: b.clicks("bob", f"{run}:1", "continue"))
    yield _reply(made, "dave continues the same", lambda b: b.clicks("dave", f"{run}:1", "continue"))
    running = made.run("running")
    yield _reply(made, "bob answers a run that asks nothing", lambda b: b.clicks("bob", f"{running}:1", "continue"))


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
    shown = [_reply(made, f"alice: /swarm {name}", lambda b: b.types("alice", text)) for name, text in named]
    denied = replies(
        made, ("guest", "frobnicate"), ("erin", "migrate kadits"), ("erin", "migrate lei-3"), ("erin", "plan")
    )
    return page(*shown, *denied)


# --- private replies ------------------------------------------------------------------------------------------------


class Ephemeral:
    """Keep what is posted to one person alone."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def chat_postEphemeral(self, *, text: str, blocks: Any, **_: Any) -> None:
        self.said.append(message(text, blocks))


class Failing(Inbox):
    """An inbox that cannot take anything."""

    def __init__(self, made: Bench, failed: Exception) -> None:
        super().__init__(made.redis, KEY, lambda: AT)
        self._failed = failed

    def take(self, delivery: Delivery) -> None:
        raise self._failed


OUTAGES: tuple[RedisError, ...] = (
    NoConnection("away"), OutOfMemoryError("no"), ReadOnlyError("no"), ResponseError("MISCONF Errors"),
    ResponseError("NOREPLICAS Not"), ResponseError("ERR odd"),
)  # fmt: skip
ASKED = Delivery("command", "trigger.1", IDS["alice"], "C01OPS", "migrate kaditz", "", AT)


def private_replies(redis: Redis) -> str:
    outages = [line for failed in OUTAGES for line in _outage(redis, failed)]
    broken = [
        _received(redis, f"the bot fails with {type(failed).__name__}", fails=failed)
        for failed in (
            RuntimeError("no"),
            Forged("bot:run:abc:decision:1 was not written by Imker"),
            RecordBroken("no"),
        )
    ]
    late = [_late(redis, ASKED), _late(redis, replace(ASKED, kind="click", verdict="accept", text="abc:1"))]
    slow = section("not saved within 2 s", f"  {reception.UNSURE}")
    often = _received(redis, "more than 30 in a minute", before=30)
    full = section("500 runs are open", *_plain(answers.too_many(500)))
    return page(often, full, slow, *outages, *broken, *late, *_steering(redis), *_deciding(redis))


def _plain(said: Message) -> list[str]:
    return [message(said.text, said.blocks, *_kind(said))]


def _outage(redis: Redis, failed: RedisError) -> Iterator[str]:
    yield _received(redis, f"not saved: {type(failed).__name__} {failed}", takes=failed)
    yield _received(redis, f"saved, not handled: {type(failed).__name__} {failed}", fails=failed)


def _received(
    redis: Redis, title: str, *, takes: Exception | None = None, fails: Exception | None = None, before: int = 0
) -> str:
    made, slack = bench(redis), Ephemeral()
    box = Failing(made, takes) if takes else Inbox(made.redis, KEY, lambda: AT)
    if fails:
        made.desk.command = _raising(fails)  # type: ignore[method-assign]
    limit = Limit(30)
    for _ in range(before):
        limit.judge(ASKED.user)
    reception.Reception(made.desk, box, slack, limit).receive(ASKED, lambda *_: None)  # type: ignore[arg-type]
    return section(title, *(slack.said or ["(no private reply)"]))


def _raising(failed: Exception) -> Any:
    def fail(*_: Any) -> None:
        raise failed

    return fail


def _late(redis: Redis, asked: Delivery) -> str:
    made, slack = bench(redis), Ephemeral()
    Inbox(made.redis, KEY, lambda: AT).take(asked)
    box = Inbox(made.redis, KEY, lambda: AT + LATE + LEFT)
    reception.Reception(made.desk, box, slack, Limit(1000)).catch_up()  # type: ignore[arg-type]
    return section(f"found again too late: {asked.kind}", *slack.said)


def _steering(redis: Redis) -> Iterator[str]:
    for what in ("pause", "cancel", "resume", "retry"):
        made = bench(redis)
        for state in ("running", "over", "warned", "fleet"):
            run = made.run(state)
            yield _reply(made, f"alice: /swarm {what} RUN, {state}", lambda b: b.types("alice", f"{what} {run}"))
        yield _reply(made, f"alice: /swarm {what} of an unknown run", lambda b: b.types("alice", f"{what} unknown"))
        if what in ("pause", "resume"):
            made.run("graces-running")
            yield _reply(made, f"alice: /swarm {what}, which is not clear", lambda b: b.types("alice", what))
    made = bench(redis)
    run = made.run("fleet")
    yield _reply(made, "alice starts the fleet", lambda b: b.clicks("alice", f"{run}:1", "start"))
    for what in ("resume", "pause", "pause", "resume", "cancel", "cancel"):
        yield _reply(made, f"alice: /swarm {what} of the fleet", lambda b: b.types("alice", f"{what} {run}"))


def _deciding(redis: Redis) -> Iterator[str]:
    made = bench(redis)
    yield from replies(
        made, ("alice", f"accept {NODE[:12]}"), ("alice", "continue k3fm9x2q"), ("alice", "migrate kaditz")
    )
    made.run("pending")
    other = Waiting(
        "accept", "f00d", Candidate("tondi", NODE[:4] + "zz", "198.18.0.40", "tondi", "26"), Quorum(1, 0, 2, 0)
    )
    extra = made.run("running")
    made.tell(extra, other, job=1)
    yield from replies(made, ("alice", f"accept {NODE[:4]}"))


# --- status and audit -----------------------------------------------------------------------------------------------

STATES = ("running", "pending", "warned", "fleet", "stop", "store", "over", "daves")


def status(redis: Redis) -> str:
    made = bench(redis)
    empty = replies(made, ("alice", "status"), ("alice", "status k3fm9x2q"))
    runs = {state: _waiting(made, state) for state in STATES}
    made.later(90)
    listed = replies(made, ("alice", "status"), ("dave", "status"), ("erin", "status"))
    one = [_reply(made, f"alice: /swarm status RUN, {state}", lambda b: b.types("alice", f"status {run}"))
           for state, run in runs.items()]  # fmt: skip
    many = bench(redis)
    for number in range(18):
        many.salt = str(number)
        many.run("running")
    return page(*empty, *listed, *one, *(f"{text}\n(18 runs)" for text in replies(many, ("alice", "status"))))


def _waiting(made: Bench, state: str) -> str:
    """Start a run in that state. Only the question of acceptance has a limit in time."""
    run = made.run(state)
    if "pending" not in state and state != "daves":
        made.redis.delete(f"run:{run}:events")
        made.tell(run, *RUNS[state][3])
    return run


FACTS = (
    Fact("1", "asked", "U01ALICE", "C01OPS", "k3fm9x2q", "kaditz", {"text": "/swarm migrate kaditz"}),
    Fact("2", "refused", "U08DAVE", "C01OPS", said={"why": "denied", "text": "/swarm migrate all", "answer": "Not done"}),
    Fact("3", "refused", "U08DAVE", "C01OPS", said={"why": "misuse"}),
    Fact("4", "began", "U01ALICE", "C01OPS", "k3fm9x2q", "kaditz", {"command": "migrate", "job": "1"}),
    Fact("5", "step", "U01ALICE", "C01OPS", "k3fm9x2q", "kaditz", {"step": "JoinSwarm", "outcome": "done", "job": "1"}),
    Fact("6", "changed", "U01ALICE", "C01OPS", "k3fm9x2q", "kaditz",
         {"path": "/etc/default/docker", "before": "a" * 64, "after": "b" * 64, "job": "1"}),
    Fact("7", "changed", "U01ALICE", "C01OPS", "k3fm9x2q", "kaditz", {"path": "/x", "before": "", "after": "b" * 64}),
    Fact("8", "waits", "U01ALICE", "C01OPS", "k3fm9x2q", "kaditz",
         {"question": "accept", "shown": "f00d", "node": NODE, "refused": "it is no longer as it was shown", "job": "1"}),
    Fact("9", "decided", "U02BOB", "C01OPS", "k3fm9x2q", "kaditz", {"verdict": "accept", "job": "1"}),
    Fact("10", "held", "U02BOB", "C01OPS", "k3fm9x2q", said={"verdict": "pause"}),
    Fact("11", "began", "U01ALICE", "C01OPS", "k3fm9x2q", "kaditz",
         {"command": "accept", "approved": "U02BOB", "shown": "f00d", "node": NODE, "job": "2"}),
    Fact("12", "refused", run="k3fm9x2q", host="kaditz",
         said={"why": "turned away", "answer": "it expired", "claims": "U01ALICE", "command": "migrate"}),
    Fact("13", "ended", "U01ALICE", "C01OPS", "k3fm9x2q", "kaditz", {"outcome": "done", "job": "2"}),
)  # fmt: skip


def audit(redis: Redis) -> str:
    assert {fact.what for fact in FACTS} == set(get_args(chain.What))
    entries, head = [], None
    for number, fact in enumerate(FACTS):
        entries.append(chain.link(head, fact, AT + number))
        head = Head(entries[-1].seq, entries[-1].hash)
    tables = {
        "/swarm audit": audit_table.shown(entries[::-1], None),
        "/swarm audit kaditz": audit_table.shown(
            audit_table.about(entries[::-1], "kaditz", "C01OPS", ("*",)), "kaditz"
        ),
        "/swarm audit, none yet": audit_table.shown([], None),
        "/swarm audit tondi, none of it": audit_table.shown([], "tondi"),
    }
    return page(*(section(title, *_plain(shown)) for title, shown in tables.items()))
