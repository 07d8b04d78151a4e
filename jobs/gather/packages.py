"""The Engine's package, and what apt would offer in its place with the wanted source. Changes nothing on the host.

In: a shell, the apt list's text, the settings. Out: a Package of jobs.facts, None when there is none.
"""

from pathlib import PurePosixPath

from jobs.connectors import dpkg
from jobs.connectors.shell import Shell
from jobs.errors import CommandFailed
from jobs.facts import packages
from jobs.facts.apt_source import switch_component
from jobs.facts.packages import Package
from jobs.settings import EngineSection

CLI_PACKAGES = {
    "docker-ce": "docker-ce-cli",
    "docker.io": "docker-cli",
    "docker-engine": "",
}  # the Engine's package -> its CLI's
# Fresh lists in a folder of its own, so that asking changes nothing on the host. The list keeps its name: apt tells
# its two ways of writing by that. Without a list, apt's own lists are asked as they are. What is older, dpkg says, by
# the Engine's version alone: an epoch is the package's.
CANDIDATES_SCRIPT = """
set -e
list=$1 installed=$2; shift 2
ask() { "$@"; }
if [ -n "$list" ]; then
  dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT
  mkdir -p "$dir/parts" "$dir/lists/partial" "$dir/cache/archives/partial"; cat > "$dir/parts/$list"
  ask() { tool=$1; shift; "$tool" -o Dir::Etc::sourcelist=/dev/null -o Dir::Etc::sourceparts="$dir/parts" \\
    -o Dir::State::lists="$dir/lists" -o Dir::Cache="$dir/cache" -o APT::Update::Error-Mode=any "$@"; }
  ask apt-get -qq update >&2
fi
for package; do ask apt-cache madison "$package"; echo ==; done
ask apt-cache madison "$1" | while read -r _ _ version _; do
  if dpkg --compare-versions "${version#*:}" lt "${installed#*:}"; then echo "$version"; fi
done
"""


def gather_package(shell: Shell, source: str, engine_settings: EngineSection) -> Package | None:
    """The one that is wanted, or, with none wanted, the one installed; with what is installed now."""
    names = tuple(dict.fromkeys((engine_settings.package, *CLI_PACKAGES) if engine_settings.package else CLI_PACKAGES))
    there = {
        name: (state, version)
        for state, name, version in dpkg.query_packages(shell, *names)
        if state[:2] not in ("un", "rc")
    }
    present = next((name for name in names if name in there), None)
    if present is None:
        return None
    state, version = there[present]
    package_name = engine_settings.package or present
    cli = CLI_PACKAGES.get(package_name, "")
    path = str(engine_settings.apt_list) if source else ""
    offered, *of_cli, older = _query_apt(
        shell,
        path,
        switch_component(source, engine_settings.apt_component),
        version,
        package_name,
        *([cli] if cli else []),
    )
    return Package(
        package_name,
        version,
        state,
        packages.parse_madison(offered),
        packages.parse_madison("".join(of_cli)),
        cli_package=cli,
        downgrades=tuple(older.split()),
        replaces=present if present != package_name else "",
    )


def _query_apt(shell: Shell, path: str, source: str, *arguments: str) -> list[str]:
    """Of each package what apt offers, and last what of the first is older than the installed version."""
    name = PurePosixPath(path).name
    try:
        output = shell.run("sh", "-c", CANDIDATES_SCRIPT, "imker", name, *arguments, stdin=source, timeout=180).stdout
    except CommandFailed as error:
        hint = f"See {name} on {shell.host}: is the repository there?"
        action, check = "asking apt for the new Engine", "candidate version"
        raise CommandFailed(shell.host, action, error.code, error.stderr, hint=hint, check=check) from error
    return output.split("==\n")
