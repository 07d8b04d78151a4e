"""Read hosts that a person typed, and choose some of an inventory. Pure."""

import re
from collections.abc import Iterable
from fnmatch import fnmatchcase
from ipaddress import ip_address

from imker_cli.init.answers.model import AnswerError, FoundHost, Value

TYPED = re.compile(r"(?:([^=@:\s]+)=)?(?:([^@=:\s]+)@)?([A-Za-z0-9.-]+)(?::(\d{1,5}))?")


def parse_typed_hosts(words: Iterable[str]) -> tuple[FoundHost, ...]:
    """Return the hosts of words like `geschke@192.168.10.39` or `kaditz=geschke@192.168.10.39:22`."""
    hosts = tuple(_parse_typed_host(word) for word in words)
    names = [host.name for host in hosts]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise AnswerError(f"{', '.join(repeated)}: typed twice. Give each a name of its own: NAME=USER@ADDRESS.")
    return hosts


def choose_hosts(hosts: Iterable[FoundHost], words: Iterable[str]) -> tuple[FoundHost, ...]:
    """Return the hosts that a word names: a host, a group, or a pattern. All hosts without a word."""
    candidates, names = tuple(hosts), tuple(words)
    if not candidates:
        raise AnswerError("There are no hosts in it.")
    useless = [word for word in names if not any(_is_chosen(host, word) for host in candidates)]
    if useless:
        groups = sorted({group for host in candidates for group in host.groups})
        choices = ", ".join([*sorted(host.name for host in candidates), *groups])
        raise AnswerError(f"Nothing in it is named {', '.join(useless)}. It has {choices}.")
    return tuple(host for host in candidates if not names or any(_is_chosen(host, word) for word in names))


def _is_chosen(host: FoundHost, word: str) -> bool:
    return word in host.groups or fnmatchcase(host.name, word.lower())


def _parse_typed_host(word: str) -> FoundHost:
    match = TYPED.fullmatch(word.strip(","))
    if match is None:
        raise AnswerError(f"{word} is neither a file, a folder, nor a host. Type hosts as NAME=USER@ADDRESS.")
    name, user, address, port = match.groups()
    section: dict[str, Value] = {"address": address}
    section |= {"ssh_user": user} if user else {}
    section |= {"ssh_port": int(port)} if port else {}
    return FoundHost((name or _name_of(address)).lower(), section)


def _name_of(address: str) -> str:
    """Return the first part of a host name, and an IP address as it is."""
    try:
        return str(ip_address(address))
    except ValueError:
        return address.partition(".")[0]
