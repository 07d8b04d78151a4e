"""The Engine's package and the versions that apt offers. Pure."""

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Package:
    """The Engine's package. `candidates`: versions that apt would offer with the wanted source, newest first;

    `cli`: the package of the `docker` command, where that is one of its own; `older`: candidates older than what is
    `installed`; `present`: the installed package's name, where another one is wanted in its place.
    """

    name: str
    installed: str
    state: str  # dpkg's, "ii" when all is well
    candidates: tuple[str, ...] = ()
    cli_candidates: tuple[str, ...] = ()
    cli_package: str = ""
    downgrades: tuple[str, ...] = ()
    replaces: str = ""

    @property
    def installed_spec(self) -> str:
        """What is installed, as apt would be asked for it."""
        return f"{self.replaces or self.name}={self.installed}"


def parse_engine_version(version: str) -> str:
    """The Engine's own version in a package's: "5:27.3.1-1~debian" and "27.3.1+dfsg1" are both 27.3.1; "" if none."""
    match = re.match(r"(?:[0-9]{1,9}:)?v?([0-9]{1,9}(?:\.[0-9]{1,9}){0,9})", version)
    return match.group(1) if match else ""


def parse_madison(text: str) -> tuple[str, ...]:
    """`apt-cache madison`: versions, newest first, each once."""
    rows = (line.split("|") for line in text.splitlines())
    return tuple(dict.fromkeys(row[1].strip() for row in rows if len(row) > 1))
