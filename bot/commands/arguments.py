"""Read the arguments of a command. Each function returns the builder for rows of the command table. Pure."""

import difflib
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Literal

from bot.commands.model import (
    Arguments,
    Builder,
    CommandSpec,
    ControlRun,
    ControlWatch,
    DecideRun,
    ParsedCommand,
    ShowAudit,
    ShowStatus,
    UsageError,
)
from bot.commands.row_filter import KEYS, parse_filter
from imker.protocol.commands import ListHosts, ListNodes, Migrate, MigrateAll, PlanHost, Role, StartContainers
from imker.protocol.node_commands import Upgrade, UpgradeAll

ROLES: dict[str, Role] = {"--manager": "manager", "--worker": "worker"}
DURATION = re.compile(r"([0-9]{1,5})(m|h|d)[a-z]{0,6}", re.ASCII)
UNIT_SECONDS, MAX_MUTE = {"m": 60, "h": 3600, "d": 24 * 3600}, 7 * 24 * 3600
MAX_ECHOED = 40  # characters of a mistyped word in the reply


def no_arguments(make: Callable[[], ParsedCommand]) -> Builder:
    """Accept no arguments."""

    def build(arguments: Arguments) -> ParsedCommand | UsageError:
        return make() if not arguments.words else _usage(arguments.spec, "takes no arguments")

    return build


def filtered(make: type[ListHosts] | type[ListNodes]) -> Builder:
    """Read [--filter CONDITION,...]."""

    def build(arguments: Arguments) -> ParsedCommand | UsageError:
        spec, words = arguments.spec, arguments.words
        if not words:
            return make()
        flag, _, value = words[0].partition("=")
        if not flag.startswith("-"):
            return _usage(spec, f"did you mean --filter {words[0][:MAX_ECHOED]}?")
        if arguments.flag(flag) != "--filter":
            return _unexpected(spec, flag)
        parsed = parse_filter(" ".join([value, *words[1:]]), KEYS[spec.name])
        return _usage(spec, parsed) if isinstance(parsed, str) else make(parsed.text)

    return build


def host_and_role(make: type[Migrate] | type[PlanHost]) -> Builder:
    """Read HOST [--manager or --worker] [--docker-group]."""

    def build(arguments: Arguments) -> ParsedCommand | UsageError:
        roles = [ROLES[flag] for flag in arguments.flags if flag in ROLES]
        problem = _unknown_flag(arguments) or _host_and_role_problem(arguments, roles)
        if problem:
            return problem
        name = _host(arguments, arguments.values[0])
        if isinstance(name, UsageError):
            return name
        return make(name, roles[0] if roles else None, "--docker-group" in arguments.flags)

    return build


def _host_and_role_problem(arguments: Arguments, roles: list[Role]) -> UsageError | None:
    spec, values = arguments.spec, arguments.values
    if len(set(roles)) > 1:
        return _usage(spec, "choose either --manager or --worker")
    bare_flags = [f"--{word.lower()}" for word in values[1:] if f"--{word.lower()}" in spec.flags]
    if bare_flags:
        return _usage(spec, f"did you mean {bare_flags[0]}?")
    if len(values) != 1:
        return _usage(spec, "specify one host, or all" if values else "specify a host")
    return None


def excluded_hosts(arguments: Arguments) -> ParsedCommand | UsageError:
    """Read [--without HOST,...]."""
    spec, words = arguments.spec, arguments.words
    if not words:
        return MigrateAll()
    flag, _, value = words[0].lower().partition("=")
    if arguments.flag(flag) != "--without" or not flag.startswith("-"):
        return _unexpected(spec, flag)
    listed = re.split(r"[,\s]+", " ".join([value, *words[1:]]))
    names = [_host(arguments, word) for word in listed if word]
    problem = next((name for name in names if isinstance(name, UsageError)), None)
    if problem is not None or not names:
        return problem or _usage(spec, "specify the hosts to leave out")
    return MigrateAll(tuple(name for name in names if isinstance(name, str)))


def host_and_version(arguments: Arguments) -> ParsedCommand | UsageError:
    """Read HOST [--to VERSION]."""
    words, version = _split_version(arguments)
    name = _first_host(replace(arguments, words=words))
    if isinstance(version, UsageError) or isinstance(name, UsageError):
        return version if isinstance(version, UsageError) else name  # type: ignore[return-value]
    return Upgrade(name, version) if len(words) == 1 else _usage(arguments.spec, "specify one host, or all")


def only_version(arguments: Arguments) -> ParsedCommand | UsageError:
    """Read [--to VERSION]."""
    words, version = _split_version(arguments)
    if isinstance(version, UsageError):
        return version
    return _unexpected(arguments.spec, words[0]) if words else UpgradeAll(version)


def _split_version(arguments: Arguments) -> tuple[tuple[str, ...], str | UsageError]:
    """Return the words without --to, and the version after it, "" for none."""
    words, flags = arguments.words, [word.partition("=")[0] for word in arguments.words]
    place = next(
        (number for number, flag in enumerate(flags) if arguments.flag(flag) == "--to" and flag[0] == "-"), None
    )
    if place is None:
        return words, ""
    _, equals, value = words[place].partition("=")
    rest = words[place + 1 :] if equals else words[place + 2 :]
    version = value if equals else "".join(words[place + 1 : place + 2])
    if not re.fullmatch(r"[0-9][0-9A-Za-z.:~+*-]{0,60}", version, re.ASCII):
        return words, _usage(arguments.spec, "specify a version such as 28.*")
    return (*words[:place], *rest), version


def containers(arguments: Arguments) -> ParsedCommand | UsageError:
    """Read HOST CONTAINER..."""
    name = _first_host(arguments)
    if isinstance(name, UsageError):
        return name
    names = arguments.values[1:]
    if not names or not all(re.fullmatch(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,127}", container) for container in names):
        return _usage(arguments.spec, "invalid container name" if names else "specify the containers")
    return StartContainers(name, names)


def one_host(make: Callable[[str], ParsedCommand]) -> Builder:
    """Read HOST."""

    def build(arguments: Arguments) -> ParsedCommand | UsageError:
        name = _first_host(arguments)
        if isinstance(name, UsageError):
            return name
        return make(name) if len(arguments.values) == 1 else _usage(arguments.spec, "specify one host")

    return build


def _first_host(arguments: Arguments) -> str | UsageError:
    if problem := _unknown_flag(arguments):
        return problem
    return _host(arguments, arguments.values[0]) if arguments.values else _usage(arguments.spec, "specify a host")


def _host(arguments: Arguments, word: str) -> str | UsageError:
    """Return the host's name. While the inventory is unknown, the RQ worker checks that it exists."""
    name = word.lower().removesuffix(".")
    if not re.fullmatch(r"[a-z0-9][a-z0-9.-]{0,62}", name):
        return _usage(arguments.spec, "invalid host name")
    if not arguments.hosts or name in arguments.hosts:
        return name
    return UsageError(f"There is no host {name} in the inventory.", "See `/swarm hosts`.", arguments.spec, name)


def run_to_control(action: Literal["pause", "resume", "cancel", "retry"]) -> Builder:
    """Read RUN, or [RUN] where the command's usage says so."""

    def build(arguments: Arguments) -> ParsedCommand | UsageError:
        spec, values = arguments.spec, arguments.values
        if arguments.flags or len(values) > 1 or not all(map(_id, values)):
            return _usage(spec, "takes one run ID")
        if not values and "[" not in spec.arguments:
            return _usage(spec, "specify a run ID; see /swarm status")
        return ControlRun(_id(values[0]) if values else None, action)

    return build


def run_to_decide(choice: Literal["accept", "reject", "continue"]) -> Builder:
    """Read ID [--remove]."""

    def build(arguments: Arguments) -> ParsedCommand | UsageError:
        if problem := _unknown_flag(arguments):
            return problem
        if len(arguments.values) != 1 or not _id(arguments.values[0]):
            return _usage(arguments.spec, "takes one ID")
        return DecideRun(_id(arguments.values[0]), "remove" if "--remove" in arguments.flags else choice)

    return build


def run_to_show(arguments: Arguments) -> ParsedCommand | UsageError:
    """Read [RUN]."""
    if arguments.flags or len(arguments.values) > 1:
        return _usage(arguments.spec, "takes one run ID, or nothing")
    if not arguments.values:
        return ShowStatus()
    run = _id(arguments.values[0])
    return ShowStatus(run) if run else _usage(arguments.spec, "invalid run ID")


def mute_duration(arguments: Arguments) -> ParsedCommand | UsageError:
    """Read DURATION, such as 2h."""
    match = DURATION.fullmatch("".join(arguments.words).lower())
    seconds = int(match[1]) * UNIT_SECONDS[match[2]] if match else 0
    if not 0 < seconds <= MAX_MUTE:
        return _usage(arguments.spec, "specify for how long, from 1m to 7d")
    return ControlWatch("mute", seconds)


def audit_subject(arguments: Arguments) -> ParsedCommand | UsageError:
    """Read [HOST, USER or RUN]. A user may be a mention."""
    values = arguments.values
    if arguments.flags or len(values) > 1:
        return _usage(arguments.spec, "takes one host, user, or run, or nothing")
    word = re.sub(r"^<@([A-Z0-9]+)(?:\|[^>]*)?>$", r"\1", values[0]) if values else ""
    if word and not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9.-]{0,62}", word, re.ASCII):
        return _usage(arguments.spec, "specify a user by ID (U…), which is in the Slack profile")
    return ShowAudit(word or None)


def _id(word: str) -> str:
    """Return the ID of a run, the ID of a node or a prefix of one; "" if the word is none of them."""
    corrected = word.lower().removesuffix(".")
    return corrected if re.fullmatch(r"[a-z0-9]{3,40}", corrected, re.ASCII) else ""


def _unknown_flag(arguments: Arguments) -> UsageError | None:
    unknown = [flag for flag in arguments.flags if flag not in arguments.spec.flags]
    return _unexpected(arguments.spec, unknown[0]) if unknown else None


def _unexpected(spec: CommandSpec, word: str) -> UsageError:
    suggestions = difflib.get_close_matches(word, spec.flags, 1)
    hint = f"; did you mean {suggestions[0]}?" if suggestions else ""
    return _usage(spec, f"unknown {'flag' if word.startswith('-') else 'argument'} {word[:MAX_ECHOED]}{hint}")


def _usage(spec: CommandSpec, reason: str) -> UsageError:
    return UsageError(f"/swarm {spec.name}: {reason}" + ("" if reason.endswith("?") else "."), spec.usage, spec)
