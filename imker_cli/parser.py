"""Define the commands, arguments, and help texts of `imker`. Imports nothing heavy: `imker version` must be instant."""

import argparse

from imker.audit_arguments import add_audit_commands
from imker.protocol.version import CHANGES_QUEUE, READS_QUEUE

PARTS = ("redis", "bot", "reconciler", CHANGES_QUEUE, READS_QUEUE)  # of `imker health`
SHELLS = ("bash", "zsh", "fish")
DESCRIPTION = "Imker: a Slack bot that moves Docker hosts from classic Docker Swarm into swarm mode."
EPILOG = """\
Settings are read from imker.toml, from .env beside it, and from the environment, which takes precedence.
Exit status: 0 for success, 1 for a failure or a failed check, 2 for wrong usage or a configuration that cannot be used.
"""


def build_parser() -> argparse.ArgumentParser:
    """Return the parser. `handler` in its result names a function of `imker_cli.commands`."""
    parser = argparse.ArgumentParser(
        prog="imker", description=DESCRIPTION, epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--version", action="store_true", help="print the version and exit")
    parser.add_argument("--config", metavar="FILE", help="use this file instead of IMKER_CONFIG or imker.toml")
    commands = parser.add_subparsers(dest="command", title="commands", metavar="COMMAND")
    _add_setup(commands)
    _add_processes(commands)
    _add_checks(commands)
    _add_texts(commands)
    return parser


def _add_setup(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    init = _add(commands, "init", "run_init", "ask what Imker needs, write imker.toml and .env, and run the doctor")
    init.add_argument("--force", action="store_true", help="replace an imker.toml and tokens that exist")


def _add_processes(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    _add(commands, "up", "run_all", "start all four processes; stop all if one ends")
    _add(commands, "bot", "run_bot", "receive commands and clicks from Slack")
    _add(commands, "reconciler", "run_reconciler", "post and edit the messages in Slack")
    worker = _add(commands, "worker", "run_workers", "run the RQ workers of one queue, which reach the hosts")
    worker.add_argument("queue", metavar="QUEUE", choices=(CHANGES_QUEUE, READS_QUEUE), help="changes or reads")


def _add_checks(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    check = _add(commands, "check", "check", "check imker.toml and the environment, and start nothing")
    _add_side(check)
    check.add_argument("-q", "--quiet", action="store_true", help="print problems only")
    doctor = _add(commands, "doctor", "run_doctor", "check tokens, channels, Redis, rights, keys, and every host")
    _add_side(doctor)
    health = _add(commands, "health", "check_health", "check that Redis and the processes are running: for a monitor")
    health.add_argument("parts", metavar="PART", nargs="*", type=_part, help=f"{', '.join(PARTS)}; all without one")
    add_audit_commands(_add(commands, "audit", "audit", "verify or export the audit log"))
    repair = _add(commands, "repair", "repair", "remove an invalid fencing number")
    repair.add_argument("name", metavar="HOST", help="a host of the inventory, or the word swarm")


def _add_texts(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    _add(commands, "config", "show_config", "print the settings in use and their sources, with secrets masked")
    _add(commands, "schema", "show_schema", "print the JSON schema of imker.toml, for editors")
    _add(commands, "manifest", "show_manifest", "print the manifest to paste into Slack when you create the app")
    completion = _add(commands, "completion", "show_completion", "print the completion script of a shell")
    completion.add_argument("shell", metavar="SHELL", choices=SHELLS, help="bash, zsh, or fish")
    _add(commands, "version", "show_version", "print the version")


def _add(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]", name: str, handler: str, summary: str
) -> argparse.ArgumentParser:
    description = f"{summary[0].upper()}{summary[1:]}."
    parser = commands.add_parser(name, help=summary, description=description)
    parser.set_defaults(handler=handler)
    return parser


def _add_side(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--only",
        choices=("bot", "jobs"),
        help="check only what the bot and the reconciler need, or only what the RQ workers need",
    )


def _part(text: str) -> str:
    if text not in PARTS:  # argparse would also compare an empty list with `choices`
        raise argparse.ArgumentTypeError(f"choose from {', '.join(PARTS)}")
    return text
