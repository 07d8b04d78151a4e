"""What people type, understood: text in, a command or a Misuse out. Pure; one table says all that there is to type."""

import difflib
import re
from typing import Literal

from bot.commands.model import ControlRun, DecideRun, ParsedCommand, ShowAudit, ShowHelp, ShowStatus, UsageError
from bot.commands.normalize import normalize
from bot.commands.table import BY_NAME, CommandSpec
from bot.records import Choice
from imker.protocol.commands import (
    ListHosts,
    ListNodes,
    Migrate,
    MigrateAll,
    PlanHost,
    RetireStore,
    Role,
    RunDoctor,
    StartContainers,
)

MAX_LENGTH = 300  # characters of a command; nobody types more


def parse(text: str, *, hosts: tuple[str, ...] = ()) -> ParsedCommand | UsageError:
    """`hosts`: the inventory's names, to find the nearest; without them a name is left to the job to know."""
    if len(text) > MAX_LENGTH:
        return UsageError("That is too long for a command.", "/swarm help")
    words = normalize(text).split()
    if not words:
        return ShowHelp()
    verb = BY_NAME.get(words[0].lower().rstrip(".,:;!"))
    if verb is None:
        return _suggest_command(words[0])
    if verb.name == "migrate" and [word.lower() for word in words[1:2]] == ["all"]:
        return _fleet(words[2:], hosts)
    arguments = [word for word in words[1:] if not word.startswith("-")]
    flags = [_flag(verb, word) for word in words[1:] if word.startswith("-")]
    return _build_command(verb, arguments, flags, hosts)


def _flag(verb: CommandSpec, word: str) -> str:
    """With two hyphens and no full stop, if that makes it one of the verb's; else as it is."""
    corrected = "--" + word.lower().lstrip("-").removesuffix(".")
    return corrected if corrected in verb.flags else word.lower()


def _build_command(
    verb: CommandSpec, arguments: list[str], flags: list[str], hosts: tuple[str, ...]
) -> ParsedCommand | UsageError:
    match verb.name:
        case "hosts" | "nodes" | "doctor" | "help":
            simple_commands: dict[str, ParsedCommand] = {
                "hosts": ListHosts(),
                "nodes": ListNodes(),
                "doctor": RunDoctor(),
                "help": ShowHelp(),
            }
            return simple_commands[verb.name] if not arguments and not flags else _usage(verb, "it takes nothing more")
        case "plan" | "migrate":
            return _host_command(verb, arguments, flags, hosts)
        case "status":
            return _status(verb, arguments, flags)
        case "audit":
            return _audit(verb, arguments, flags)
        case "pause" | "resume" | "retry" | "cancel":
            return _control_command(verb, arguments, flags)
        case "start" | "retire":
            return _containers(verb, arguments, flags, hosts)
        case _:
            return _decision(verb, arguments, flags)


def _host_command(
    verb: CommandSpec, arguments: list[str], flags: list[str], hosts: tuple[str, ...]
) -> ParsedCommand | UsageError:
    roles: dict[str, Role] = {"--manager": "manager", "--worker": "worker"}
    docker_group, flags = "--docker-group" in flags, [flag for flag in flags if flag != "--docker-group"]
    strangers = [flag for flag in flags if flag not in roles]
    if strangers:
        return _unknown_flag(verb, strangers[0])
    if len(set(flags)) > 1:
        return _usage(verb, "a host is either a manager or a worker")
    bare = [f"--{word.lower()}" for word in arguments[1:] if f"--{word.lower()}" in verb.flags]
    if bare:
        return _usage(verb, f"did you mean {bare[0]}?")
    if len(arguments) != 1:
        return _usage(verb, "name the host" if not arguments else "one host at a time, or all")
    name = _host(verb, arguments[0], hosts)
    if isinstance(name, UsageError):
        return name
    role = roles[flags[0]] if flags else None
    make = Migrate if verb.name == "migrate" else PlanHost
    return make(name, role, docker_group)


def _host(verb: CommandSpec, word: str, hosts: tuple[str, ...]) -> str | UsageError:
    name = word.lower().removesuffix(".")
    if not re.fullmatch(r"[a-z0-9][a-z0-9.-]{0,62}", name):
        return _usage(verb, "that is no host's name")
    if not hosts or name in hosts:
        return name
    return UsageError(f"There is no host {name} in the inventory.", "/swarm hosts lists them.", verb, name)


def _fleet(words: list[str], hosts: tuple[str, ...]) -> ParsedCommand | UsageError:
    verb = BY_NAME["migrate all"]
    if not words:
        return MigrateAll()
    flag, _, value = words[0].lower().partition("=")
    if _flag(verb, flag) != "--without" or not flag.startswith("-"):
        return _unknown_flag(verb, flag)
    names = [_host(verb, word, hosts) for word in re.split(r"[,\s]+", " ".join([value, *words[1:]])) if word]
    problem = next((name for name in names if isinstance(name, UsageError)), None)
    if problem is not None or not names:
        return problem or _usage(verb, "without which host?")
    return MigrateAll(tuple(name for name in names if isinstance(name, str)))


def _control_command(verb: CommandSpec, arguments: list[str], flags: list[str]) -> ParsedCommand | UsageError:
    actions: dict[str, Literal["pause", "resume", "cancel", "retry"]] = {
        "pause": "pause", "resume": "resume", "cancel": "cancel", "retry": "retry",
    }  # fmt: skip
    if flags or len(arguments) > 1 or not all(map(_id, arguments)):
        return _usage(verb, "it takes a run's ID")
    if not arguments and "[" not in verb.arguments:
        return _usage(verb, "which run? /swarm status lists them")
    return ControlRun(_id(arguments[0]) if arguments else None, actions[verb.name])


def _containers(
    verb: CommandSpec, arguments: list[str], flags: list[str], hosts: tuple[str, ...]
) -> ParsedCommand | UsageError:
    if flags or not arguments:
        return _unknown_flag(verb, flags[0]) if flags else _usage(verb, "name the host")
    name = _host(verb, arguments[0], hosts)
    if isinstance(name, UsageError):
        return name
    if verb.name == "retire":
        return RetireStore(name) if len(arguments) == 1 else _usage(verb, "one host at a time")
    names = arguments[1:]
    if not names or not all(re.fullmatch(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,127}", container) for container in names):
        return _usage(verb, "name the containers" if not names else "that is no container's name")
    return StartContainers(name, tuple(names))


def _status(verb: CommandSpec, arguments: list[str], flags: list[str]) -> ParsedCommand | UsageError:
    if flags or len(arguments) > 1:
        return _usage(verb, "it takes a run's ID, or nothing")
    if not arguments:
        return ShowStatus()
    run = _id(arguments[0])
    return ShowStatus(run) if run else _usage(verb, "that is no run's ID")


def _audit(verb: CommandSpec, arguments: list[str], flags: list[str]) -> ParsedCommand | UsageError:
    if flags or len(arguments) > 1:
        return _usage(verb, "it takes a host, a user or a run, or nothing")
    word = re.sub(r"^<@([A-Z0-9]+)(?:\|[^>]*)?>$", r"\1", arguments[0]) if arguments else ""
    if word and not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9.-]{0,62}", word, re.ASCII):
        return _usage(verb, "a user is named by their ID (U…), which their profile shows")
    return ShowAudit(word or None)


def _decision(verb: CommandSpec, arguments: list[str], flags: list[str]) -> ParsedCommand | UsageError:
    allowed = set(verb.flags)
    if set(flags) - allowed:
        return _unknown_flag(verb, min(set(flags) - allowed))
    if len(arguments) != 1 or not _id(arguments[0]):
        return _usage(verb, "it takes one ID")
    verdicts: dict[str, Choice] = {"accept": "accept", "reject": "reject", "continue": "continue"}
    return DecideRun(_id(arguments[0]), "remove" if flags else verdicts[verb.name])


def _id(word: str) -> str:
    """A run's, a node's or the beginning of one; "" for what is none."""
    corrected = word.lower().removesuffix(".")
    return corrected if re.fullmatch(r"[a-z0-9]{3,40}", corrected, re.ASCII) else ""


def _usage(verb: CommandSpec, reason: str) -> UsageError:
    return UsageError(f"/swarm {verb.name}: {reason}" + ("" if reason.endswith("?") else "."), verb.usage, verb)


def _unknown_flag(verb: CommandSpec, flag: str) -> UsageError:
    suggestions = difflib.get_close_matches(flag, verb.flags, 1)
    return _usage(verb, f"there is no {flag[:40]}" + (f"; did you mean {suggestions[0]}?" if suggestions else ""))


def _suggest_command(word: str) -> UsageError:
    suggestions = difflib.get_close_matches(word.lower(), BY_NAME, 1, cutoff=0.5)
    usage = (
        f"Did you mean /swarm {suggestions[0]}? {BY_NAME[suggestions[0]].usage}"
        if suggestions
        else "/swarm help lists what there is"
    )
    return UsageError(f"There is no command {word[:40].rstrip('.?!')}.", usage)
