"""Find the jump hosts on the way to a host, from what OpenSSH's ProxyJump says. Pure.

In: a host with `ssh_jump`, and how each name is reached. Out: the jump hosts, the first one first.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace

from jobs.inventory.model import Host

MAX_JUMPS = 8
JUMP = re.compile(r"(?:ssh://)?(?:([^@\s]{1,64})@)?(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]{1,253})(?::([0-9]{1,5}))?")
NONE = "none"

# A name, and the host behind whose jump it is, to the jump host with what is known about how to reach it.
Lookup = Callable[[str, Host], Host]


class JumpError(ValueError):
    """The jump hosts of a host cannot be used. The text says why."""


def find_jumps(host: Host, hosts: Mapping[str, Host], lookup: Lookup) -> tuple[Host, ...]:
    """Return the jump hosts on the way to a host. Raise JumpError."""
    return _resolve(host, hosts, lookup, (host.name,))


def list_jumps(hosts: Mapping[str, Host]) -> tuple[Host, ...]:
    """Return the jump hosts of all hosts, each once, with its own jump hosts."""
    ways = (host.jumps[: number + 1] for host in hosts.values() for number in range(len(host.jumps)))
    return tuple(dict.fromkeys(replace(way[-1], jumps=way[:-1]) for way in ways))


def _resolve(host: Host, hosts: Mapping[str, Host], lookup: Lookup, way: tuple[str, ...]) -> tuple[Host, ...]:
    """Return the jump hosts of a host. The first one may be behind others itself. `way`: the names so far."""
    jumps = [jump for jump in _parse(host, hosts, lookup) if jump.name != host.name]
    if not jumps:
        return ()
    first = jumps[0]
    if first.name in way or len(way) > MAX_JUMPS:
        raise JumpError(f"the way leads back: {' -> '.join((*way, first.name))}")
    before = _resolve(first, hosts, lookup, (*way, first.name))
    return (*before, *(replace(jump, ssh_jump="", jumps=()) for jump in jumps))


def _parse(host: Host, hosts: Mapping[str, Host], lookup: Lookup) -> list[Host]:
    text = host.ssh_jump.strip()
    return (
        []
        if text.lower() in ("", NONE)
        else [_parse_one(part.strip(), host, hosts, lookup) for part in text.split(",")]
    )


def _parse_one(part: str, host: Host, hosts: Mapping[str, Host], lookup: Lookup) -> Host:
    match = JUMP.fullmatch(part)
    if not match or not 0 < int(match[3] or 22) < 2**16:
        raise JumpError(f"{part[:80]!r} is no jump host such as alice@gate.example.org:22")
    name = match[2].strip("[]")
    jump = hosts.get(name.lower()) or lookup(name, host)
    user, port = match[1] or jump.ssh_user, int(match[3]) if match[3] else jump.ssh_port
    return replace(jump, ssh_user=user, ssh_port=port)
