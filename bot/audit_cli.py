"""Verify or export the audit log: `python -m bot audit verify` and `export`. Changes nothing.

Exit status of `verify`: 0 if the log is intact, signed with the key, and matches a checkpoint from Slack or `--head`;
1 if it was tampered with; 2 if it is consistent but a part of this proof is missing, or it could not be read. The
checkpoint matters because someone who rewrites the log in Redis rewrites the latest hash there as well.
"""

import argparse
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
from imker.audit_arguments import add_audit_commands
from imker.audit_log import AuditLog, AuditLogBroken
from imker.config import ConfigError
from imker.hash_chain import Entry, Head, Problem
from imker.secret_files import read_secret

MAX_PROBLEMS = 20  # printed
Entries = Sequence[Entry | None]


def main(argv: list[str]) -> int:
    """Run `python -m bot audit` and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m bot audit")
    add_audit_commands(parser)
    return run(parser.parse_args(argv))


def run(arguments: argparse.Namespace) -> int:
    """Run `verify` or `export` and return the exit status."""
    try:
        key = audit_log.read_audit_key()
        entries, heads, broken = _read(arguments.file)
    except AuditLogBroken as broke:
        print(broke)
        print("TAMPERED: it cannot be read as an audit log")
        return 1
    except (ConfigError, redis_connection.RedisUnavailable, RedisError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    if arguments.action == "export":
        return _export(entries)
    checkpoints = [*arguments.head, *(() if arguments.file else _posted_checkpoints())]
    problems = (*broken, *hash_chain.verify(entries, [*heads, *checkpoints], key, arguments.unsigned_until))
    if problems:
        return _report_tampering(problems)
    return _report_intact([entry for entry in entries if entry], checkpoints, has_key=key is not None)


def _read(file: Path | None) -> tuple[Entries, list[Head], list[Problem]]:
    """Return the entries, the latest hash in Redis, and a problem if that is older than the last entry.

    Raise AuditLogBroken, RedisError, or OSError.
    """
    if file:
        return [hash_chain.decode_entry(line) for line in file.read_bytes().splitlines()], [], []
    log = AuditLog(redis_connection.connect(read_secret("REDIS_URL") or None))
    before, entries, after = log.head(), list(log.entries()), log.head()  # entries may be added meanwhile
    last = next((entry.seq for entry in reversed(entries) if entry), 0)
    latest = after.seq if after else 0
    behind = Problem(last, f"the latest hash in Redis is of entry {latest}, but the last entry is {last}")
    return entries, [before] if before else [], [behind] if last > latest else []


def _posted_checkpoints() -> list[Head]:
    """Return the checkpoints of all channels, read with the bot's configuration; none if not all can be read."""
    try:
        configuration = settings.load()
        client = WebClient(token=configuration.bot_token.get_secret_value(), base_url=configuration.api_url)
        return [head for channel in configuration.channels for head in find_checkpoints(client, channel)]
    except ConfigError:
        reason = "the bot is not configured on this machine"
    except (SlackClientError, OSError, HTTPException) as error:
        reason = str(error)
    print(f"Cannot read the checkpoints in Slack ({reason}).", file=sys.stderr)
    return []


def _export(entries: Entries) -> int:
    """Print the entries. Return 1 if something in the log is not an entry; that is left out."""
    for entry in entries:
        if entry:
            print(hash_chain.encode_entry(entry))
    return 0 if all(entries) else 1


def _report_tampering(problems: Sequence[Problem]) -> int:
    for problem in problems[:MAX_PROBLEMS]:
        print(problem.text)
    if len(problems) > MAX_PROBLEMS:
        print(f"… and {len(problems) - MAX_PROBLEMS} more")
    first = min(problem.seq for problem in problems)
    print(f"TAMPERED: {_count(len(problems), 'problem')}, the first at entry {first}")
    return 1


def _report_intact(entries: Sequence[Entry], checkpoints: Sequence[Head], *, has_key: bool) -> int:
    """Print what the log was compared with and return the exit status. `checkpoints`: latest hashes seen in Slack."""
    end = f"; last entry {entries[-1].hash}:{entries[-1].seq}" if entries else ""
    missing = list(_missing_proof(entries, checkpoints, has_key))
    if missing:
        print(f"CONSISTENT: {len(entries)} entries{end}. Not proven: {'; '.join(missing)}")
        return 2
    first_signed = next(entry.seq for entry in entries if entry.mac)
    newest = max(head.seq for head in checkpoints)
    print(
        f"INTACT: {len(entries)} entries{end}. Signed from entry {first_signed}; "
        f"matches {_count(len(set(checkpoints)), 'checkpoint')}, the newest of entry {newest}"
    )
    return 0


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _missing_proof(entries: Sequence[Entry], checkpoints: Sequence[Head], has_key: bool) -> Iterator[str]:
    if not has_key:
        yield "IMKER_AUDIT_KEY is not set, so no signature was checked: anyone with access to Redis can forge the log"
    elif not any(entry.mac for entry in entries):
        yield "no entry is signed yet"
    if not checkpoints:
        yield (
            "there was no checkpoint to compare with, so a log that was cut or written from scratch would not show. "
            "Copy one from Slack: --head HASH:SEQ"
        )
