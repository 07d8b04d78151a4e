"""`python -m bot audit verify` on logs that were attacked with access to Redis, to Slack, or to neither.

Each case begins with ten signed entries and with the bot's checkpoints of entries 4 and 10 in the channel.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from redis import Redis
from slack_sdk import WebClient

from bot.__main__ import main
from bot.reconciler.audit_checkpoints import METADATA, _payload, daily_text
from bot.slack.history import post
from imker import audit_log, hash_chain
from imker.audit_log import AuditLog
from imker.hash_chain import AuditFact, Entry, Head, append_to
from lab.slack.client import Workspace
from lab.slack.server_process import run_fake_slack

KEY, OTHER, EVE = "the key that only Imker has", "an invented key", "U09EVE"
STORY = [
    AuditFact(f"f{n}", "step", "U01ALICE", "C01OPS", "k3fm9x2q", "kaditz", {"outcome": "done"}) for n in range(1, 11)
]


@pytest.fixture(scope="module")
def workspace() -> Iterator[Workspace]:
    with run_fake_slack() as slack:
        yield slack


def chained(facts: Sequence[AuditFact], key: str | None, last: Entry | None = None) -> list[Entry]:
    """Return the entries of these facts, each linked to the one before."""
    entries = [last] if last else []
    for fact in facts:
        entries.append(
            append_to(head_of(entries) if entries else None, fact, 1795440000.5, key.encode() if key else None)
        )
    return entries[1:] if last else entries


def lied(facts: Sequence[AuditFact]) -> list[AuditFact]:
    return [replace(fact, user=EVE) for fact in facts]


def head_of(entries: Sequence[Entry]) -> Head:
    return Head(entries[-1].seq, entries[-1].hash)


class Log:
    """The audit log in Redis and the channel. `entries`: as Imker wrote them."""

    channel = "C01OPS"

    def __init__(self, redis: Redis, workspace: Workspace) -> None:
        self.redis, self.workspace = redis, workspace
        self.client = WebClient(token="xoxb-lab", base_url=f"{workspace.url}/api/")
        self.entries: list[Entry] = []
        self.argv: list[str] = []
        self.environment: dict[str, str] = {}

    def imker_writes(self, facts: Sequence[AuditFact], key: str | None = KEY) -> None:
        record = AuditLog(self.redis, key.encode() if key else None)
        for fact in facts:
            record.append(fact)
        self.entries = [entry for entry in record.entries() if entry]

    def put(self, entries: Sequence[Entry | str], head: Head | None = None) -> None:
        """Replace the whole stream, and the latest hash in Redis with it: the newest, unless another is given."""
        self.redis.delete(audit_log.STREAM_KEY, audit_log.HEAD_KEY)
        for number, entry in enumerate(entries, 1):
            text = entry if isinstance(entry, str) else hash_chain.encode_entry(entry)
            self.redis.xadd(audit_log.STREAM_KEY, {"entry": text}, id=f"{number}-0")
        real = [entry for entry in entries if isinstance(entry, Entry)]
        newest = head or (head_of(real) if real else None)
        if newest:
            self.redis.hset(audit_log.HEAD_KEY, mapping={"seq": newest.seq, "hash": newest.hash})

    def bot_posts(self, head: Head, day: str = "2026-11-23") -> None:
        post(self.client, self.channel, daily_text(day, head), METADATA, _payload(head, day))

    def clear_channel(self) -> None:
        """Delete all messages, as a workspace administrator can."""
        for message in self.workspace.visible_messages("U01ALICE", self.channel):
            self.workspace.delete_message(message)

    def with_key(self, key: str) -> None:
        self.environment["IMKER_AUDIT_KEY"] = key


@dataclass(frozen=True)
class Case:
    """`attack`: changes the log or the channel; `status`, `says`: the result of `verify`."""

    name: str
    attack: Callable[[Log], object]
    status: int
    says: str


def keeping(change: Callable[[list[Entry]], Sequence[Entry | str]]) -> Callable[[Log], None]:
    """Write the changed entries to the stream, and the latest hash that follows from them."""
    return lambda log: log.put(change(log.entries))


def started_again(key: str | None, forged: int = 10) -> Callable[[Log], None]:
    """Wipe the log and forge it without the key; then Imker appends to it."""

    def attack(log: Log) -> None:
        log.put(chained(lied(STORY[:forged]), None))
        log.redis.delete(*(f"audit:id:{fact.id}" for fact in STORY))
        log.imker_writes([AuditFact("next", "asked")], key)

    return attack


def wiped(log: Log) -> None:
    log.redis.delete(audit_log.STREAM_KEY, audit_log.HEAD_KEY)
    log.clear_channel()


def rewritten_with_the_key(log: Log, until: int = 0) -> None:
    log.put([*log.entries[:until], *chained(lied(STORY[until:]), KEY, log.entries[until - 1] if until else None)])


def older_than_the_key(log: Log, unsigned: int = 4) -> None:
    """Write a log whose first entries are older than the key. This is not an attack."""
    wiped(log)
    log.redis.delete(*(f"audit:id:{fact.id}" for fact in STORY))
    log.imker_writes(STORY[:unsigned], None)
    log.imker_writes(STORY[unsigned:])
    log.bot_posts(head_of(log.entries))


def told_until(seq: int, *attacks: Callable[[Log], object]) -> Callable[[Log], None]:
    def attack(log: Log) -> None:
        for each in attacks:
            each(log)
        log.argv += ["--unsigned-until", str(seq)]

    return attack


def signed_by_eve(log: Log) -> None:
    log.put(chained(lied(STORY), OTHER))
    log.clear_channel()
    log.bot_posts(head_of(chained(lied(STORY), OTHER)))


def forged_before_the_first_head(log: Log) -> None:
    """Forge the log; then the bot itself posts its checkpoint."""
    log.clear_channel()
    started_again(KEY)(log)
    log.bot_posts(head_of(log.entries))


def said_by_a_person(log: Log) -> None:
    """Post a checkpoint as a user, in the bot's words."""
    log.clear_channel()
    log.workspace.say("U03CAROL", log.channel, daily_text("2026-11-23", head_of(log.entries)).text)


def other_metadata(log: Log) -> None:
    log.clear_channel()
    head = head_of(log.entries)
    post(log.client, log.channel, daily_text("2026-11-23", head), "imker_run", _payload(head, "2026-11-23"))


def without_key(attack: Callable[[Log], object] = lambda log: None) -> Callable[[Log], None]:
    def attacked(log: Log) -> None:
        attack(log)
        log.with_key("")

    return attacked


def given_head(seq: int, digest: Callable[[Log], str]) -> Callable[[Log], None]:
    def attack(log: Log) -> None:
        log.clear_channel()
        log.argv += ["--head", f"{digest(log)}:{seq}"]

    return attack


def extra(fields: dict[str, str]) -> Callable[[Log], object]:
    return lambda log: log.redis.xadd(audit_log.STREAM_KEY, fields, id="11-0")


def trimmed_to(length: int) -> Callable[[Log], object]:
    return lambda log: log.redis.xtrim(audit_log.STREAM_KEY, maxlen=length, approximate=False)


def with_bad_hash(entry: Entry) -> str:
    return hash_chain.encode_entry(replace(entry, hash="\ud800"))


def entry_and_more(log: Log) -> None:
    extra({"entry": hash_chain.encode_entry(log.entries[9]), "more": "x"})(log)


def head_is_a_string(log: Log) -> None:
    log.redis.delete(audit_log.HEAD_KEY)
    log.redis.set(audit_log.HEAD_KEY, "x")


def edited(number: int, **more: object) -> Callable[[Log], None]:
    at = number - 1
    return keeping(lambda e: [*e[:at], replace(e[at], fact=replace(e[at].fact, **more)), *e[at + 1 :]])


def mixed(number: int, key: str | None) -> Callable[[Log], None]:
    """Rewrite one entry with `key`, and the following ones with Imker's key."""

    def change(e: list[Entry]) -> list[Entry]:
        forged = chained(lied(STORY[number - 1 : number]), key, e[number - 2] if number > 1 else None)
        return [*e[: number - 1], *forged, *chained(STORY[number:], KEY, forged[-1])]

    return keeping(change)


CASES = (
    Case("nothing", lambda log: None, 0, "Signed from entry 1; matches 2 checkpoints"),
    Case("entries that came after the newest head", lambda log: log.imker_writes([AuditFact("n", "asked")]), 0,
         "entry 10"),
    Case("a head given by hand", given_head(10, lambda log: log.entries[-1].hash), 0, "matches 1 checkpoint,"),
    Case("entries older than the key, named", told_until(4, older_than_the_key), 0, "Signed from entry 5"),
    Case("entries older than the key, not named", older_than_the_key, 1, "add --unsigned-until 4"),
    Case("entries older than the key, one not named", told_until(3, older_than_the_key), 1, "entries 4 to 4 are"),
    # single entries
    Case("changed first", edited(1, user=EVE), 1, "entry 1 was changed"),
    Case("changed last", edited(10, host="lausen"), 1, "entry 10 was changed"),
    Case("changed, with its hash", mixed(5, None), 1, "entry 5 is not signed"),
    Case("changed, signed with another key", mixed(5, OTHER), 1, "entry 5 was not signed with this key"),
    Case("changed, with the key", mixed(5, KEY), 1, "entry 10 differs from the channel after 2026-11-23"),
    Case("changed time", keeping(lambda e: [*e[:4], replace(e[4], recorded_at=1.0), *e[5:]]), 1, "entry 5 was changed"),
    Case("removed first", keeping(lambda e: e[1:]), 1, "entry 1 is missing"),
    Case("removed middle", keeping(lambda e: [*e[:4], *e[5:]]), 1, "entry 5 is missing"),
    Case("removed last, by Redis' own hand", lambda log: log.redis.xdel(audit_log.STREAM_KEY, "10-0"), 1,
         "the latest hash in Redis"),
    Case("removed last, with its head", keeping(lambda e: e[:-1]), 1, "the channel after 2026-11-23 shows entry 10"),
    Case("swapped", keeping(lambda e: [*e[:4], e[5], e[4], *e[6:]]), 1, "out of order"),
    Case("duplicated", keeping(lambda e: [*e[:4], e[3], *e[4:]]), 1, "out of order"),
    Case("inserted", keeping(lambda e: [*e[:4], *chained(lied(STORY[4:5]), None, e[3]), *e[4:]]), 1, "is not signed"),
    Case("another entry's signature", keeping(lambda e: [*e[:4], replace(e[4], mac=e[3].mac), *e[5:]]), 1, "this key"),
    # signatures
    Case("unsigned first", mixed(1, None), 1, "entries 1 to 1 are not signed"),
    Case("unsigned end", keeping(lambda e: [*e[:8], *chained(STORY[8:], None, e[7])]), 1, "entry 9 is not signed"),
    Case("no signatures", keeping(lambda e: [replace(each, mac="") for each in e]), 1, "no entry is signed"),
    Case("unsigned middle, named", told_until(9, mixed(5, None)), 1, "entry 5 is not signed, but earlier entries are"),
    Case("signed with another key throughout", signed_by_eve, 1, "entry 1 was not signed with this key"),
    Case("verified with another key", lambda log: log.with_key(OTHER), 1, "was not signed with this key"),
    # the entire log
    Case("trimmed", trimmed_to(3), 1, "entries 1 to 7 are"),
    Case("emptied", trimmed_to(0), 1, "the end is cut off"),
    Case("wiped", lambda log: log.redis.delete(audit_log.STREAM_KEY, audit_log.HEAD_KEY), 1, "the end is cut off"),
    Case("wiped, and the channel too", wiped, 2, "no entry is signed yet; there was no checkpoint"),
    Case("wiped, and Imker goes on", started_again(KEY, 0), 1, "the end is cut off"),
    Case("forged, and Imker goes on", started_again(KEY), 1, "entries 1 to 10 are not signed"),
    Case("forged, Imker goes on, named", told_until(10, started_again(KEY)), 1, "entry 4 differs"),
    Case("forged before the first head", forged_before_the_first_head, 1, "entries 1 to 10 are not signed"),
    Case("forged without the key, named", told_until(10, keeping(lambda e: chained(lied(STORY), None)),
         Log.clear_channel), 2, "no entry is signed yet"),
    Case("written again with the key", rewritten_with_the_key, 1, "entry 4 differs"),
    Case("written again with the key after a head", lambda log: rewritten_with_the_key(log, 4), 1, "entry 10 differs"),
    # not a log
    Case("a string for a log", lambda log: (log.redis.delete("audit"), log.redis.set("audit", "x")), 1, "WRONGTYPE"),
    Case("a list for a log", lambda log: (log.redis.delete("audit"), log.redis.rpush("audit", "x")), 1, "TAMPERED"),
    Case("an entry that is no JSON", keeping(lambda e: [*e[:4], "x", *e[5:]]), 1, "entry 4 is not an entry"),
    Case("an entry that is deep", keeping(lambda e: [*e, "[" * 100_000]), 1, "entry 10 is not an entry"),
    Case("an entry of a hash that is no text", keeping(lambda e: [*e, with_bad_hash(e[9])]), 1,
         "entry 10 is not an entry"),
    Case("an entry of other fields", extra({"other": "x"}), 1, "entry 10 is not an entry"),
    Case("an entry with a field more", entry_and_more, 1, "entry 10 is not an entry"),
    Case("a thousand entries that are none", keeping(lambda e: [*e, *["x"] * 1000]), 1, "… and 980 more"),
    # checkpoints and the latest hash
    Case("no head in Redis", lambda log: log.redis.delete(audit_log.HEAD_KEY), 1,
         "the latest hash in Redis is of entry 0"),
    Case("a head in Redis that is set back", lambda log: log.put(log.entries, head_of(log.entries[:3])), 1,
         "the latest hash in Redis is of entry 3, but the last entry is 10"),
    Case("a head in Redis beyond the end", lambda log: log.put(log.entries, Head(99, "a" * 64)), 1, "shows entry 99"),
    Case("a head in Redis of another entry", lambda log: log.put(log.entries, Head(10, "a" * 64)), 1,
         "entry 10 differs"),
    Case("a head in Redis that is a string", head_is_a_string, 1, "TAMPERED"),
    Case("a head in Redis that is none", lambda log: log.redis.hset(audit_log.HEAD_KEY, "seq", "x"), 1, "is invalid"),
    Case("no head in the channel", Log.clear_channel, 2, "there was no checkpoint to compare with"),
    Case("a head in the channel by a person", said_by_a_person, 2, "there was no checkpoint to compare with"),
    Case("a head in the channel in another message", other_metadata, 2, "there was no checkpoint to compare with"),
    Case("a head in the channel beyond the end", lambda log: log.bot_posts(Head(99, "a" * 64)), 1, "the last one is"),
    Case("a head in the channel of another log", lambda log: log.bot_posts(Head(7, "a" * 64)), 1, "entry 7 differs"),
    Case("a head given of another log", given_head(7, lambda log: "a" * 64), 1, "the checkpoint in --head"),
    Case("a head given beyond the end", given_head(99, lambda log: "a" * 64), 1,
         "the checkpoint in --head shows entry 99"),
    # missing proof
    Case("no key here", without_key(), 2, "IMKER_AUDIT_KEY is not set, so no signature was checked"),
    Case("no key here, and no head", without_key(Log.clear_channel), 2, "no signature was checked: anyone"),
    Case("no key here, and a changed entry", without_key(edited(5, user=EVE)), 1, "entry 5 was changed"),
    Case("no key here, forged, the heads are of before", without_key(started_again(None)), 1, "entry 4 differs"),
    Case("Slack does not answer", lambda log: log.environment.update(SLACK_API_URL="http://127.0.0.1:1/api/"), 2,
         "there was no checkpoint to compare with"),
)  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_verify_finds_each_attack(
    case: Case, redis: Redis, redis_folder: Path, workspace: Workspace, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    log = Log(redis, workspace)
    log.clear_channel()
    log.imker_writes(STORY)
    log.bot_posts(head_of(log.entries[:4]), "2026-11-22")
    log.bot_posts(head_of(log.entries))
    log.environment = {
        "SLACK_BOT_TOKEN": "xoxb-lab", "SLACK_APP_TOKEN": "xapp-lab", "SLACK_API_URL": f"{workspace.url}/api/",
        "IMKER_STATE": str(redis_folder), "IMKER_AUDIT_KEY": KEY, "IMKER_CONFIG": str(tmp_path / "imker.toml"),
    }  # fmt: skip
    config = f'[slack]\nchannels = ["{log.channel}"]\n[rights]\nread = ["U01ALICE"]\n'
    (tmp_path / "imker.toml").write_text(config)
    case.attack(log)
    for name, value in log.environment.items():
        monkeypatch.setenv(name, value)
    assert "REDIS_URL" not in os.environ
    status = main(["audit", "verify", *log.argv])
    output = capsys.readouterr()
    assert (status, case.says in output.out) == (case.status, True), output
    first = {0: "INTACT: ", 2: "CONSISTENT: "}.get(status)
    assert output.out.splitlines()[-1].startswith(first or "TAMPERED: ")
    assert len(output.out.splitlines()) < 25
