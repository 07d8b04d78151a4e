"""`python -m bot audit verify` and `export`: check the audit log, and print it. Changes nothing.

Exit status of `verify`: 0 only if the log is whole, signed with the key, and a head that people could read was found
and matches; 1 if it was tampered with; 2 if it is whole in itself, or could not be read. Whoever rewrites the log in
Redis rewrites the head there as well, and posts no other in the channel.
"""

import argparse
import os
import re
import sys
from collections.abc import Iterator, Sequence
from http.client import HTTPException
from pathlib import Path

from redis.exceptions import RedisError
from slack_sdk import WebClient
from slack_sdk.errors import SlackClientError

from bot import settings
from bot.reconciler.audit_checkpoints import find_checkpoints
from imker import audit_log, hash_chain, redis_connection
from imker.audit_log import AuditLog, AuditLogBroken
from imker.config import ConfigError
from imker.hash_chain import Entry, Head, Problem

SHOWN = 20  # problems that are printed
Entries = Sequence[Entry | None]


def main(argv: list[str]) -> int:
    arguments = _parser().parse_args(argv)
    try:
        entries, heads, broken = _read(arguments.file)
    except AuditLogBroken as broke:
        print(broke)
        print("NOT WHOLE: it cannot be read as a log")
        return 1
    except (redis_connection.RedisUnavailable, RedisError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    if arguments.what == "export":
        return _export(entries)
    witnessed = [*arguments.head, *(() if arguments.file else _posted_checkpoints())]
    key = audit_log.read_audit_key()
    problems = (*broken, *hash_chain.verify(entries, [*heads, *witnessed], key, arguments.unsigned_until))
    if problems:
        return _report_tampering(problems)
    return _report_whole([entry for entry in entries if entry], witnessed, signed=key is not None)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bot audit")
    subcommands = parser.add_subparsers(dest="what", required=True)
    verify = subcommands.add_parser("verify", help="whether nothing was changed, left out, moved or cut off")
    verify.add_argument("--head", action="append", default=[], type=_head, metavar="HASH:SEQ", help="as in the channel")
    verify.add_argument("--file", type=Path, help="an export, instead of Redis")
    verify.add_argument(
        "--unsigned-until",
        type=int,
        default=0,
        metavar="SEQ",
        help="the last entry from before IMKER_AUDIT_KEY was set",
    )
    export = subcommands.add_parser("export", help="all entries, a line of JSON each, oldest first")
    export.set_defaults(file=None)
    return parser


def _head(text: str) -> Head:
    if not re.fullmatch(r"[0-9A-Fa-f]{64}:[0-9]{1,16}", text):
        raise argparse.ArgumentTypeError("HASH:SEQ, as the channel shows it")
    digest, _, seq = text.partition(":")
    return Head(int(seq), digest.lower(), "the hash you gave")


def _read(file: Path | None) -> tuple[Entries, list[Head], list[Problem]]:
    """Return the entries, Redis' own head, and what is wrong with that. Raises RecordBroken, RedisError, OSError."""
    if file:
        return [hash_chain.decode_entry(line) for line in file.read_bytes().splitlines()], [], []
    record = AuditLog(redis_connection.connect(os.environ.get("REDIS_URL") or None))
    before, entries, after = record.head(), list(record.entries()), record.head()
    last = next((entry.seq for entry in reversed(entries) if entry), 0)
    behind = Problem(last, f"the latest hash in Redis shows entry {after.seq if after else 0}, the last one is {last}")
    return entries, [before] if before else [], [behind] if last > (after.seq if after else 0) else []


def _posted_checkpoints() -> list[Head]:
    """Return those in all channels, read with the bot's own token and configuration; none if not all can be read."""
    try:
        configuration = settings.load()
        client = WebClient(token=configuration.bot_token.get_secret_value(), base_url=configuration.api_url)
        return [head for channel in configuration.channels for head in find_checkpoints(client, channel)]
    except ConfigError:
        reason = "the bot's settings are not here"
    except (SlackClientError, OSError, HTTPException) as error:
        reason = str(error)
    print(f"the heads in the channels could not be read ({reason})", file=sys.stderr)
    return []


def _export(entries: Entries) -> int:
    """What is no entry is left out, and makes the exit status 1."""
    for entry in entries:
        if entry:
            print(hash_chain.encode_entry(entry))
    return 0 if all(entries) else 1


def _report_tampering(problems: Sequence[Problem]) -> int:
    for problem in problems[:SHOWN]:
        print(problem.text)
    if len(problems) > SHOWN:
        print(f"… and {len(problems) - SHOWN} more")
    print(f"NOT WHOLE: {len(problems)} wrong, the first at entry {min(problem.seq for problem in problems)}")
    return 1


def _report_whole(entries: Sequence[Entry], witnessed: Sequence[Head], *, signed: bool) -> int:
    """Print what the log is compared with. `witnessed`: heads that people have read, or could have."""
    end = f", the last {entries[-1].hash}:{entries[-1].seq}" if entries else ""
    doubts = list(_doubts(entries, witnessed, signed))
    if doubts:
        print(f"whole in itself: {len(entries)} entries{end}; but {'; and '.join(doubts)}")
        return 2
    first = next(entry.seq for entry in entries if entry.mac)
    newest = max(head.seq for head in witnessed)
    print(
        f"whole: {len(entries)} entries{end}; signed from entry {first} on; "
        f"{len(set(witnessed))} heads that people could read match, the newest of entry {newest}"
    )
    return 0


def _doubts(entries: Sequence[Entry], witnessed: Sequence[Head], signed: bool) -> Iterator[str]:
    if not signed:
        yield "without IMKER_AUDIT_KEY no signature was checked: whoever writes to Redis can write such a log"
    elif not any(entry.mac for entry in entries):
        yield "no entry is signed yet"
    if not witnessed:
        yield (
            "compared with no head that people have read, so that a cut end, or a log written again, would not show: "
            "give one as the channel has it, --head HASH:SEQ"
        )
