"""`python -m bot audit verify` and `export`: whether the record is whole, and the record itself. Changes nothing.

Exit status: 0 for a whole record, 1 for one that is not, 2 when it could not be looked at, or compared with no head
but its own: whoever rewrites the record rewrites that as well.
"""

import argparse
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from slack_sdk import WebClient
from slack_sdk.errors import SlackClientError

from bot import settings
from bot.witness import heads_in
from imker import audit, broker, chain
from imker.audit import Audit
from imker.chain import Entry, Head
from imker.config import ConfigError


def main(argv: list[str]) -> int:
    asked = _parser().parse_args(argv)
    try:
        entries, heads = _source(asked.file)
    except (broker.NoRedis, OSError) as wrong:
        print(wrong, file=sys.stderr)
        return 2
    if asked.what == "export":
        return _export(entries)
    posted = None if asked.file else _posted()
    return _verify(entries, [*heads, *asked.head, *(posted or ())], witnessed=posted is not None or bool(asked.head))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bot audit")
    what = parser.add_subparsers(dest="what", required=True)
    verify = what.add_parser("verify", help="whether nothing was changed, left out, moved or cut off")
    verify.add_argument("--head", action="append", default=[], type=_head, metavar="HASH:SEQ", help="as in the channel")
    verify.add_argument("--file", type=Path, help="an export, instead of Redis")
    export = what.add_parser("export", help="all entries, a line of JSON each, oldest first")
    export.set_defaults(file=None)
    return parser


def _head(text: str) -> Head:
    digest, _, seq = text.partition(":")
    if len(digest) != 64 or not seq.isdigit():
        raise argparse.ArgumentTypeError("HASH:SEQ, as the channel shows it")
    return Head(int(seq), digest.lower(), "the head you gave")


def _source(file: Path | None) -> tuple[Iterator[Entry | None], list[Head]]:
    if file:
        return (chain.decode(line) for line in file.read_text().splitlines()), []
    record = Audit(broker.connect(os.environ.get("REDIS_URL") or None))
    head = record.head()
    return record.entries(), [head] if head else []


def _posted() -> list[Head] | None:
    """Those in all channels, by the bot's own tokens and configuration; None when not all could be read."""
    try:
        loaded = settings.load()
        client = WebClient(token=loaded.bot_token.get_secret_value(), base_url=loaded.api_url)
        return [head for channel in loaded.channels for head in heads_in(client, channel)]
    except ConfigError:
        why = "the bot's settings are not here"
    except (SlackClientError, OSError) as failed:
        why = str(failed)
    print(f"the heads in the channels could not be read ({why})", file=sys.stderr)
    return None


def _export(entries: Iterator[Entry | None]) -> int:
    """What is no entry is left out, and makes the exit status 1."""
    whole = True
    for entry in entries:
        whole = whole and entry is not None
        if entry:
            print(chain.encode(entry))
    return 0 if whole else 1


def _verify(entries: Iterator[Entry | None], heads: list[Head], *, witnessed: bool) -> int:
    """`witnessed`: whether there is a head among them that people have read, or could have."""
    read = list(entries)
    key = audit.key()
    problems = chain.verify(read, heads, key)
    for problem in problems:
        print(problem.text)
    if problems:
        print(f"NOT WHOLE: {len(problems)} wrong, the first at entry {problems[0].seq}")
        return 1
    last = read[-1] if read else None
    end = f", the last {last.hash}:{last.seq}" if last else ""
    signed = "" if key else "; without IMKER_AUDIT_KEY no signature was looked at"
    if not witnessed:
        print(f"whole in itself: {len(read)} entries{end}{signed}; but compared with no head that people have read, so")
        print(
            "that a cut end, or a record written anew, would not show: give one as the channel has it, --head HASH:SEQ"
        )
        return 2
    print(f"whole: {len(read)} entries{end}; compared with {len(heads)} heads{signed}")
    return 0
