"""Run the command `imker`.

Exit status: 0 for success, 1 for a failure or a failed check, 2 for wrong usage. A process that cannot start with its
configuration also returns 2.
"""

import os
import sys
from argparse import Namespace

from imker_cli.parser import build_parser

EXTRAS = {  # package that is missing -> the extra that installs it
    "slack_bolt": "bot", "slack_sdk": "bot", "yaml": "bot", "starlette": "http", "uvicorn": "http",
    "docker": "jobs", "paramiko": "jobs", "cryptography": "jobs",
}  # fmt: skip


def main(argv: list[str] | None = None) -> int:
    """Run a command and return the exit status. Each command imports what it needs."""
    parser = build_parser()
    arguments = parser.parse_args(argv)
    if arguments.version:
        arguments.command, arguments.handler = "version", "show_version"
    if arguments.command is None:
        parser.print_help(sys.stderr)
        return 2
    if arguments.config:
        os.environ["IMKER_CONFIG"] = arguments.config
    return _dispatch(arguments)


def _dispatch(arguments: Namespace) -> int:
    from imker_cli import commands

    try:
        return int(getattr(commands, arguments.handler)(arguments))
    except ModuleNotFoundError as missing:
        package = (missing.name or "").partition(".")[0]
        extra = EXTRAS.get(package)
        if extra is None:
            raise
        print(f"The package {package} is not installed. Install 'imker[{extra}]'.", file=sys.stderr)
    except BrokenPipeError:  # the reader of the output, such as head, has ended
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except KeyboardInterrupt:
        print(file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
