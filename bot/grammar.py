"""What people type, understood: text in, a command or a Misuse out. Pure; one table says all that there is to type."""

import difflib
import re
from dataclasses import dataclass
from typing import Literal

from bot.record import Verdict
from bot.spelling import normalised
from bot.verbs import BY_NAME, Verb
from jobs.contract import (
    Command,
    Doctor,
    Hosts,
    Migrate,
    MigrateAll,
    Nodes,
    PlanHost,
    RetireStore,
    Role,
    StartContainers,
)

LONGEST = 300  # characters of a command; nobody types more


@dataclass(frozen=True)
class ShowStatus:
    run: str | None = None


@dataclass(frozen=True)
class ShowHelp:
    pass


@dataclass(frozen=True)
class ShowAudit:
    """`about`: a host, a user's ID or a run's; None for all."""

    about: str | None = None


@dataclass(frozen=True)
class Decide:
    """`target`: a run's ID, or, to accept or reject, a node's or the beginning of one."""

    target: str
    verdict: Verdict


@dataclass(frozen=True)
class Misuse:
    """What is wrong, and what to type instead; `verb`: of an example; `unknown`: what is no host's name."""

    text: str
    usage: str
    verb: Verb | None = None
    unknown: str = ""


@dataclass(frozen=True)
class Steer:
    """Of a run that goes on, or is over. `run`: None for the only one there is."""

    run: str | None
    what: Literal["pause", "resume", "cancel", "retry"]


Wanted = Command | ShowStatus | ShowHelp | ShowAudit | Decide | Steer


def parse(text: str, *, hosts: tuple[str, ...] = ()) -> Wanted | Misuse:
    """`hosts`: the inventory's names, to find the nearest; without them a name is left to the job to know."""
    if len(text) > LONGEST:
        return Misuse("That is too long for a command.", "/swarm help")
    words = normalised(text).split()
    if not words:
        return ShowHelp()
    verb = BY_NAME.get(words[0].lower().rstrip(".,:;!"))
    if verb is None:
        return _near_verb(words[0])
    if verb.name == "migrate" and [word.lower() for word in words[1:2]] == ["all"]:
        return _fleet(words[2:], hosts)
    arguments = [word for word in words[1:] if not word.startswith("-")]
    flags = [_flag(verb, word) for word in words[1:] if word.startswith("-")]
    return _build(verb, arguments, flags, hosts)


def _flag(verb: Verb, word: str) -> str:
    """With two hyphens and no full stop, if that makes it one of the verb's; else as it is."""
    meant = "--" + word.lower().lstrip("-").removesuffix(".")
    return meant if meant in verb.flags else word.lower()


def _build(verb: Verb, arguments: list[str], flags: list[str], hosts: tuple[str, ...]) -> Wanted | Misuse:
    match verb.name:
        case "hosts" | "nodes" | "doctor" | "help":
            made: dict[str, Wanted] = {"hosts": Hosts(), "nodes": Nodes(), "doctor": Doctor(), "help": ShowHelp()}
            return made[verb.name] if not arguments and not flags else _usage(verb, "it takes nothing more")
        case "plan" | "migrate":
            return _about_host(verb, arguments, flags, hosts)
        case "status":
            return _status(verb, arguments, flags)
        case "audit":
            return _audit(verb, arguments, flags)
        case "pause" | "resume" | "retry" | "cancel":
            return _steer(verb, arguments, flags)
        case "start" | "retire":
            return _containers(verb, arguments, flags, hosts)
        case _:
            return _decision(verb, arguments, flags)


def _about_host(verb: Verb, arguments: list[str], flags: list[str], hosts: tuple[str, ...]) -> Wanted | Misuse:
    roles: dict[str, Role] = {"--manager": "manager", "--worker": "worker"}
    docker_group, flags = "--docker-group" in flags, [flag for flag in flags if flag != "--docker-group"]
    strangers = [flag for flag in flags if flag not in roles]
    if strangers:
        return _no_flag(verb, strangers[0])
    if len(set(flags)) > 1:
        return _usage(verb, "a host is either a manager or a worker")
    bare = [f"--{word.lower()}" for word in arguments[1:] if f"--{word.lower()}" in verb.flags]
    if bare:
        return _usage(verb, f"did you mean {bare[0]}?")
    if len(arguments) != 1:
        return _usage(verb, "name the host" if not arguments else "one host at a time, or all")
    name = _host(verb, arguments[0], hosts)
    if isinstance(name, Misuse):
        return name
    role = roles[flags[0]] if flags else None
    make = Migrate if verb.name == "migrate" else PlanHost
    return make(name, role, docker_group)


def _host(verb: Verb, word: str, hosts: tuple[str, ...]) -> str | Misuse:
    name = word.lower().removesuffix(".")
    if not re.fullmatch(r"[a-z0-9][a-z0-9.-]{0,62}", name):
        return _usage(verb, "that is no host's name")
    if not hosts or name in hosts:
        return name
    return Misuse(f"There is no host {name} in the inventory.", "/swarm hosts lists them.", verb, name)


def _fleet(words: list[str], hosts: tuple[str, ...]) -> Wanted | Misuse:
    verb = BY_NAME["migrate all"]
    if not words:
        return MigrateAll()
    flag, _, listed = words[0].lower().partition("=")
    if _flag(verb, flag) != "--without" or not flag.startswith("-"):
        return _no_flag(verb, flag)
    names = [_host(verb, word, hosts) for word in re.split(r"[,\s]+", " ".join([listed, *words[1:]])) if word]
    wrong = next((name for name in names if isinstance(name, Misuse)), None)
    if wrong is not None or not names:
        return wrong or _usage(verb, "without which host?")
    return MigrateAll(tuple(name for name in names if isinstance(name, str)))


def _steer(verb: Verb, arguments: list[str], flags: list[str]) -> Wanted | Misuse:
    what: dict[str, Literal["pause", "resume", "cancel", "retry"]] = {
        "pause": "pause", "resume": "resume", "cancel": "cancel", "retry": "retry",
    }  # fmt: skip
    if flags or len(arguments) > 1 or not all(map(_id, arguments)):
        return _usage(verb, "it takes a run's ID")
    if not arguments and "[" not in verb.arguments:
        return _usage(verb, "which run? /swarm status lists them")
    return Steer(_id(arguments[0]) if arguments else None, what[verb.name])


def _containers(verb: Verb, arguments: list[str], flags: list[str], hosts: tuple[str, ...]) -> Wanted | Misuse:
    if flags or not arguments:
        return _no_flag(verb, flags[0]) if flags else _usage(verb, "name the host")
    name = _host(verb, arguments[0], hosts)
    if isinstance(name, Misuse):
        return name
    if verb.name == "retire":
        return RetireStore(name) if len(arguments) == 1 else _usage(verb, "one host at a time")
    named = arguments[1:]
    if not named or not all(re.fullmatch(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,127}", one) for one in named):
        return _usage(verb, "name the containers" if not named else "that is no container's name")
    return StartContainers(name, tuple(named))


def _status(verb: Verb, arguments: list[str], flags: list[str]) -> Wanted | Misuse:
    if flags or len(arguments) > 1:
        return _usage(verb, "it takes a run's ID, or nothing")
    if not arguments:
        return ShowStatus()
    run = _id(arguments[0])
    return ShowStatus(run) if run else _usage(verb, "that is no run's ID")


def _audit(verb: Verb, arguments: list[str], flags: list[str]) -> Wanted | Misuse:
    if flags or len(arguments) > 1:
        return _usage(verb, "it takes a host, a user or a run, or nothing")
    word = re.sub(r"^<@([A-Z0-9]+)(?:\|[^>]*)?>$", r"\1", arguments[0]) if arguments else ""
    if word and not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9.-]{0,62}", word, re.ASCII):
        return _usage(verb, "a user is named by their ID (U…), which their profile shows")
    return ShowAudit(word or None)


def _decision(verb: Verb, arguments: list[str], flags: list[str]) -> Wanted | Misuse:
    allowed = set(verb.flags)
    if set(flags) - allowed:
        return _no_flag(verb, min(set(flags) - allowed))
    if len(arguments) != 1 or not _id(arguments[0]):
        return _usage(verb, "it takes one ID")
    verdicts: dict[str, Verdict] = {"accept": "accept", "reject": "reject", "continue": "continue"}
    return Decide(_id(arguments[0]), "remove" if flags else verdicts[verb.name])


def _id(word: str) -> str:
    """A run's, a node's or the beginning of one; "" for what is none."""
    meant = word.lower().removesuffix(".")
    return meant if re.fullmatch(r"[a-z0-9]{3,40}", meant, re.ASCII) else ""


def _usage(verb: Verb, why: str) -> Misuse:
    return Misuse(f"/swarm {verb.name}: {why}" + ("" if why.endswith("?") else "."), verb.usage, verb)


def _no_flag(verb: Verb, flag: str) -> Misuse:
    near = difflib.get_close_matches(flag, verb.flags, 1)
    return _usage(verb, f"there is no {flag[:40]}" + (f"; did you mean {near[0]}?" if near else ""))


def _near_verb(word: str) -> Misuse:
    near = difflib.get_close_matches(word.lower(), BY_NAME, 1, cutoff=0.5)
    usage = f"Did you mean /swarm {near[0]}? {BY_NAME[near[0]].usage}" if near else "/swarm help lists what there is"
    return Misuse(f"There is no command {word[:40].rstrip('.?!')}.", usage)
