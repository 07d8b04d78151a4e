"""Query dpkg on a host."""

from jobs.connectors.shell import Shell, command
from jobs.facts.packages import parse_dpkg_rows


def query_packages(shell: Shell, *names: str) -> list[tuple[str, str, str]]:
    """Return (dpkg state, name, version) of the packages that have a version in dpkg's database."""
    form = "${db:Status-Abbrev}|${Package}|${Version}\n"
    return parse_dpkg_rows(shell.run(command("dpkg-query", "-W", "-f", form, *names, check=False)).stdout)
