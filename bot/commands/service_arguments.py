"""Read the arguments of commands on services. Each function is, or returns, a builder of the command table. Pure."""

import difflib
import re
from collections.abc import Callable, Iterable

from bot.commands.model import Arguments, CommandSpec, ParsedCommand, UsageError
from bot.commands.row_filter import KEYS, parse_filter
from imker.protocol.service_commands import (
    MAX_REPLICAS,
    CreateService,
    ListServices,
    Protocol,
    PublishedPort,
    ScaleServices,
    ScaleTarget,
)

MAX_ECHOED = 40  # characters of a mistyped word in the reply
MAX_SERVICES = 10  # services that one command scales
NEW_NAME = re.compile(r"[a-zA-Z0-9](?:[a-zA-Z0-9_-]{0,61}[a-zA-Z0-9])?", re.ASCII)
NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,127}", re.ASCII)
IMAGE = re.compile(r"(?!.*(?:\.\.|//))[a-zA-Z0-9][a-zA-Z0-9._/:@-]{0,250}", re.ASCII)
PORT = re.compile(r"(\d{1,5}):(\d{1,5})(?:/(tcp|udp|sctp))?(,mode=(?:host|ingress))?", re.ASCII)
CONSTRAINT = re.compile(r"(?:node|engine)\.[a-zA-Z0-9_./-]{1,100}(?:==|!=)[a-zA-Z0-9_./:-]{1,100}", re.ASCII)
PROTOCOLS: dict[str, Protocol] = {"tcp": "tcp", "udp": "udp", "sctp": "sctp"}
Values = dict[str, list[str]]  # values by flag


class _Misuse(Exception):
    """What is wrong with the arguments."""


def _checked(build: Callable[[Arguments], ParsedCommand]) -> Callable[[Arguments], ParsedCommand | UsageError]:
    """Return the builder with its misuse as a usage error."""

    def build_or_explain(arguments: Arguments) -> ParsedCommand | UsageError:
        try:
            return build(arguments)
        except _Misuse as problem:
            return _usage(arguments.spec, str(problem))

    return build_or_explain


@_checked
def service_pattern(arguments: Arguments) -> ParsedCommand:
    """Read [PATTERN] [--filter CONDITION,...]: both are conditions of one filter."""
    words, values = _split(arguments)
    conditions = [*words, *(condition for flag_values in values.values() for condition in flag_values)]
    if not conditions and not values:
        return ListServices()
    parsed = parse_filter(",".join(conditions), KEYS[arguments.spec.name])
    if isinstance(parsed, str):
        raise _Misuse(parsed)
    return ListServices(parsed.text)


def one_service(make: Callable[[str], ParsedCommand]) -> Callable[[Arguments], ParsedCommand | UsageError]:
    """Read SERVICE."""

    def build(arguments: Arguments) -> ParsedCommand:
        words, _ = _split(arguments)
        if len(words) != 1:
            raise _Misuse("specify one service" if words else "specify a service")
        return make(_name(words[0]))

    return _checked(build)


@_checked
def scale_targets(arguments: Arguments) -> ParsedCommand:
    """Read SERVICE=N..."""
    words, _ = _split(arguments)
    if not words:
        raise _Misuse("specify services and numbers, such as web=5")
    if len(words) > MAX_SERVICES:
        raise _Misuse(f"specify at most {MAX_SERVICES} services")
    if len(words) == 2 and re.fullmatch(r"\d+", words[1]) and "=" not in words[0]:
        raise _Misuse(f"did you mean {words[0][:MAX_ECHOED]}={words[1][:MAX_ECHOED]}?")
    targets = tuple(map(_target, words))
    names = [target.service for target in targets]
    if len(set(names)) < len(names):
        raise _Misuse("specify each service once")
    return ScaleServices(targets)


@_checked
def new_service(arguments: Arguments) -> ParsedCommand:
    """Read NAME IMAGE [--replicas N] [--publish P:T] [--constraint C]."""
    words, values = _split(arguments)
    if len(words) != 2:
        raise _Misuse("specify a name and an image")
    name, image = words
    if not NEW_NAME.fullmatch(name):
        raise _Misuse("invalid service name: use letters, digits, hyphens, and underscores, at most 63")
    if not IMAGE.fullmatch(image):
        raise _Misuse("invalid image")
    replicas = values.get("--replicas", ["1"])
    ports, constraints = tuple(map(_port, values.get("--publish", ()))), tuple(values.get("--constraint", ()))
    if invalid := [text for text in constraints if not CONSTRAINT.fullmatch(text)]:
        raise _Misuse(f"invalid constraint {invalid[0][:MAX_ECHOED]}; use for example node.role==worker")
    if len(replicas) > 1 or len(set(ports)) < len(ports):
        raise _Misuse("specify each value once")
    return CreateService(name, image, _number(replicas[0]), ports, constraints)


def _split(arguments: Arguments) -> tuple[list[str], Values]:
    """Return the words without a flag, and the values of each flag: `--flag VALUE` or `--flag=VALUE`."""
    words: list[str] = []
    values: Values = {}
    rest = iter(arguments.words)
    for word in rest:
        if not word.startswith("-"):
            words.append(word.removesuffix(".") if not values else word)
            continue
        name, equals, value = word.partition("=")
        flag = arguments.flag(name)
        if flag not in arguments.spec.flags:
            raise _Misuse(_unknown(arguments.spec, flag))
        value = value if equals else next(rest, "")
        if not value or value.startswith("-"):
            raise _Misuse(f"{flag} needs a value")
        values.setdefault(flag, []).append(value)
    return words, values


def _unknown(spec: CommandSpec, flag: str) -> str:
    suggestions = difflib.get_close_matches(flag, spec.flags, 1)
    return f"unknown flag {flag[:MAX_ECHOED]}" + (f"; did you mean {suggestions[0]}?" if suggestions else "")


def _target(word: str) -> ScaleTarget:
    name, equals, number = word.partition("=")
    if not equals:
        raise _Misuse(f"specify a number for {name[:MAX_ECHOED]}, such as {name[:MAX_ECHOED]}=5")
    return ScaleTarget(_name(name), _number(number))


def _name(word: str) -> str:
    if not NAME.fullmatch(word):
        raise _Misuse("invalid service name")
    return word


def _number(text: str) -> int:
    if not re.fullmatch(r"\d{1,6}", text, re.ASCII) or int(text) > MAX_REPLICAS:
        raise _Misuse(f"the number of replicas must be between 0 and {MAX_REPLICAS}")
    return int(text)


def _port(text: str) -> PublishedPort:
    match = PORT.fullmatch(text)
    ports: Iterable[int] = map(int, match.groups()[:2]) if match else ()
    if match is None or not all(1 <= port <= 65535 for port in ports):
        raise _Misuse(f"invalid port {text[:MAX_ECHOED]}; use for example 8080:80, 53:53/udp, or 8080:80,mode=host")
    return PublishedPort(int(match[1]), int(match[2]), PROTOCOLS[match[3] or "tcp"], match[4] == ",mode=host")


def _usage(spec: CommandSpec, reason: str) -> UsageError:
    return UsageError(f"/swarm {spec.name}: {reason}" + ("" if reason.endswith("?") else "."), spec.usage, spec)
