"""Define the arguments of `audit verify` and `audit export`, for the command line and its shell completion."""

import argparse
import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from imker.hash_chain import Head


def add_audit_commands(parser: argparse.ArgumentParser) -> None:
    """Add both subcommands to the parser."""
    subcommands = parser.add_subparsers(dest="action", required=True)
    verify = subcommands.add_parser("verify", help="check that no entry was changed, removed, or moved")
    verify.add_argument(
        "--head", action="append", default=[], type=_head, metavar="HASH:SEQ", help="a checkpoint from Slack"
    )
    verify.add_argument("--file", type=Path, help="an exported file instead of Redis")
    verify.add_argument(
        "--unsigned-until",
        type=int,
        default=0,
        metavar="SEQ",
        help="the last entry before IMKER_AUDIT_KEY was set",
    )
    export = subcommands.add_parser("export", help="print all entries as lines of JSON, oldest first")
    export.set_defaults(file=None)


def _head(text: str) -> "Head":
    from imker.hash_chain import Head  # `imker version` does not need it

    if not re.fullmatch(r"[0-9A-Fa-f]{64}:[0-9]{1,16}", text):
        raise argparse.ArgumentTypeError("must be HASH:SEQ, copied from a checkpoint in Slack")
    digest, _, seq = text.partition(":")
    return Head(int(seq), digest.lower(), "the checkpoint in --head")
