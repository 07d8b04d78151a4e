"""Query dpkg on a host."""

from jobs.connectors.shell import Shell, command


def query_packages(shell: Shell, *names: str) -> list[tuple[str, str, str]]:
    """Return (dpkg state, name, version) of the packages that have a version in dpkg's database."""
    form = "${db:Status-Abbrev}|${Package}|${Version}\n"
    output = shell.run(command("dpkg-query", "-W", "-f", form, *names, check=False)).stdout
    rows = (tuple(part.strip() for part in line.split("|")) for line in output.splitlines())
    return [(row[0], row[1], row[2]) for row in rows if len(row) == 3 and row[2]]
