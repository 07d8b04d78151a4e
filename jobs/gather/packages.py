"""Read the Engine's package, and the versions that apt offers with the configured source. Changes nothing.

In: a shell, the apt list's text, the settings. Out: a Package of jobs.facts, None if no Engine package is installed.
"""

from pathlib import PurePosixPath

from jobs.connectors import dpkg
from jobs.connectors.shell import Shell, command, script
from jobs.errors import CommandFailed
from jobs.facts import packages
from jobs.facts.apt_source import switch_component
from jobs.facts.packages import Package
from jobs.settings import EngineSection

CLI_PACKAGES = {
    "docker-ce": "docker-ce-cli",
    "docker.io": "docker-cli",
    "docker-engine": "",
}  # the Engine's package -> the package of its CLI, "" for none
# The script fetches package lists into a temporary folder, so that nothing changes on the host. The list keeps its file
# name, as apt detects the format by it. Without a list, apt's own lists are used. dpkg compares versions without their
# epoch, which belongs to the package and not to the Engine.
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
    """Return the configured package, else the installed one, with its versions. None if none is installed."""
    names = tuple(dict.fromkeys((engine_settings.package, *CLI_PACKAGES) if engine_settings.package else CLI_PACKAGES))
    installed = {
        name: (state, version)
        for state, name, version in dpkg.query_packages(shell, *names)
        if state[:2] not in ("un", "rc")
    }
    present = next((name for name in names if name in installed), None)
    if present is None:
        return None
    state, version = installed[present]
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
    """Return the output of `apt-cache madison` for each package, and last the downgrades of the first package."""
    name = PurePosixPath(path).name
    try:
        output = shell.run(command(*script(CANDIDATES_SCRIPT, name, *arguments), stdin=source, timeout=180)).stdout
    except CommandFailed as error:
        hint = f"Check that the repository in {name} on {shell.host} is reachable."
        action, check = "querying apt for Engine versions", "candidate version"
        raise CommandFailed(shell.host, action, error.code, error.stderr, hint=hint, check=check) from error
    return output.split("==\n")
