"""Parse the Engine's package and the versions that apt offers. Pure."""

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Package:
    """The Engine's package.

    `candidates`: versions that apt offers with the configured source, newest first; `cli_package`: the package of the
    `docker` command if it is a separate one; `downgrades`: candidates older than `installed`; `replaces`: the installed
    package's name if the configuration names another package; `cli_installed`: its version, "" for none.
    """

    name: str
    installed: str
    state: str  # of dpkg, "ii" for a complete installation
    candidates: tuple[str, ...] = ()
    cli_candidates: tuple[str, ...] = ()
    cli_package: str = ""
    downgrades: tuple[str, ...] = ()
    replaces: str = ""
    cli_installed: str = ""

    @property
    def installed_specs(self) -> tuple[str, ...]:
        """Return the installed packages as arguments of apt-get: "name=version", the Engine's first.

        The old CLI is part of a rollback: since 27.5, Debian's new one breaks older Engines, and apt would remove it.
        """
        cli = (f"{self.cli_package}={self.cli_installed}",) if self.cli_installed else ()
        return (f"{self.replaces or self.name}={self.installed}", *cli)


def restarts_engine(package: str) -> bool:
    """Return whether a package of this name is Docker's own: its unit is its own, and it restarts the Engine itself."""
    return package == "docker-ce"


def parse_engine_version(version: str) -> str:
    """Return the Engine version of a package version: "27.3.1" for "5:27.3.1-1~debian". "" if there is none."""
    match = re.match(r"(?:[0-9]{1,9}:)?v?([0-9]{1,9}(?:\.[0-9]{1,9}){0,9})", version)
    return match.group(1) if match else ""


def parse_madison(text: str, package: str) -> tuple[str, ...]:
    """Return a package's versions in an `apt-cache madison` output, newest first, each once."""
    rows = (line.split("|") for line in text.splitlines())
    return tuple(dict.fromkeys(row[1].strip() for row in rows if len(row) > 1 and row[0].strip() == package))


def parse_dpkg_rows(text: str) -> list[tuple[str, str, str]]:
    """Return (dpkg state, name, version) of the packages that have a version in dpkg's database."""
    rows = (tuple(part.strip() for part in line.split("|")) for line in text.splitlines())
    return [(row[0], row[1], row[2]) for row in rows if len(row) == 3 and row[2]]
