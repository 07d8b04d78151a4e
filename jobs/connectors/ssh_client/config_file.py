"""Read OpenSSH's client configuration, such as `~/.ssh/config`, without running any program that it names.

In: the file. Out: for a name, what it says about how to reach it, or why Imker cannot follow it.
"""

import io
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from paramiko.config import SSHConfig
from paramiko.ssh_exception import ConfigParseError

MATCH = re.compile(r"\s*match(?:\s*=\s*|\s+)(.+)", re.IGNORECASE)
BARE_CRITERIA = ("all", "canonical", "final")  # of `Match`, without a value
CANONICAL = re.compile(r"\s*canonicalizehostname(?:\s*=\s*|\s+)\"?(?:yes|always)\"?", re.IGNORECASE)
# Settings that replace what must not be followed: of that block, with the number of its line.
EXEC_MARK, CANONICAL_MARK = "imkermatchexec", "imkercanonicalizehostname"
NO_PROGRAM = "Imker runs no program to reach a host"


@dataclass(frozen=True)
class SshEntry:
    """What the file says about a name: empty values for what it leaves open. `jump` "none": no jump host.

    `problem`: what Imker cannot follow, "" for nothing.
    """

    address: str = ""
    user: str = ""
    port: int | None = None
    keys: tuple[Path, ...] = ()
    certificate: Path | None = None
    jump: str = ""
    problem: str = ""


class SshConfigFile:
    """The configuration. Raises ValueError with a reason if it cannot be read."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._config = SSHConfig.from_text(_mark_lines(path.read_text()))
        except OSError as error:
            raise ValueError(error.strerror or str(error)) from error
        except ConfigParseError as error:
            raise ValueError(str(error)) from error

    def names(self) -> tuple[str, ...]:
        """Return the names in the file's `Host` lines, without patterns."""
        names = [name for name in self._config.get_hostnames() if not re.search(r"[*?!]", name)]
        return tuple(sorted(names))

    def find(self, name: str) -> SshEntry:
        """Return what the file says about a name."""
        try:
            options = self._config.lookup(name)
        except (KeyError, OSError):
            return SshEntry(problem="it cannot be applied: the user who runs Imker has no name; set LOGNAME")
        address = options["hostname"]
        port, certificate = options.get("port"), options.get("certificatefile")
        return SshEntry(
            address="" if address == name else address,
            user=options.get("user", ""),
            port=int(port) if port and port.isdecimal() else None,
            keys=tuple(Path(key).expanduser() for key in options.get("identityfile", ()) if key != "none"),
            certificate=Path(certificate).expanduser() if certificate else None,
            jump=options.get("proxyjump", ""),
            problem=_find_problem(options),
        )


def _find_problem(options: dict[str, str]) -> str:
    """Return what cannot be followed. Of ProxyJump and ProxyCommand, OpenSSH follows the one that it reads first."""
    settings = list(options)
    if EXEC_MARK in options:
        return f"line {options[EXEC_MARK]} has `Match exec`, and {NO_PROGRAM}; write these settings under `Host`"
    if "include" in options:
        return f"it includes {options['include']}, which Imker does not read; name a file without `Include`"
    if CANONICAL_MARK in options:
        return (
            f"line {options[CANONICAL_MARK]} has `CanonicalizeHostname`, which Imker does not follow; write full names"
        )
    if not options.get("port", "22").isdecimal():
        return f"Port {options['port']} is no number"
    if options.get("proxycommand") and "proxyjump" not in settings[: settings.index("proxycommand")]:
        return f"it has `ProxyCommand`, and {NO_PROGRAM}; use `ProxyJump`"
    return ""


def _mark_lines(text: str) -> str:
    """Replace `Match exec` and `CanonicalizeHostname` by marks.

    paramiko would run the command, or ask name servers, even to find out whether a block applies.
    """
    return "".join(_mark_line(number, line) for number, line in enumerate(io.StringIO(text), start=1))


def _mark_line(number: int, line: str) -> str:
    if CANONICAL.fullmatch(line.rstrip()):
        return f"{CANONICAL_MARK} {number}\n"
    match = MATCH.fullmatch(line.rstrip())
    if not match:
        return line
    criteria = list(_criteria(shlex.split(match[1])))
    others = [word for name, words in criteria if name != "exec" for word in words]
    if len(others) == sum(len(words) for _, words in criteria):
        return line
    return f"Match {shlex.join(others) or 'all'}\n{EXEC_MARK} {number}\n"


def _criteria(words: list[str]) -> Iterator[tuple[str, list[str]]]:
    """Yield each criterion: its name, and its words."""
    rest = iter(words)
    for word in rest:
        name = word.lstrip("!").lower()
        yield name, [word] if name in BARE_CRITERIA else [word, next(rest, "")]
