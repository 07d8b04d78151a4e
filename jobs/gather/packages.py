"""Read the Engine's package, and the versions that apt offers with the configured source. Changes nothing.

In: a shell, the host's sections, the settings. Out: a Package of jobs.facts, None if no Engine package is installed.
"""

from pathlib import PurePosixPath

from jobs.connectors.shell import Shell, command, script
from jobs.errors import CommandFailed
from jobs.facts import packages
from jobs.facts.apt_source import switch_component
from jobs.facts.packages import Package
from jobs.facts.sections import Sections
from jobs.settings import EngineSection

CLI_PACKAGES = {
    "docker-ce": "docker-ce-cli",
    "docker.io": "docker-cli",
    "docker-engine": "",
}  # the Engine's package -> the package of its CLI, "" for none
# The script fetches package lists into a temporary folder, so that nothing changes on the host. The list keeps its file
# name, as apt detects the format by it. Without a list, apt's own lists are used. dpkg compares versions without their
# epoch, which belongs to the package and not to the Engine. apt neither needs translations nor a cache of sources here.
CANDIDATES_SCRIPT = """
set -e
list=$1 installed=$2; shift 2
ask() { "$@"; }
if [ -n "$list" ]; then
  dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT
  mkdir -p "$dir/parts" "$dir/lists/partial" "$dir/cache/archives/partial"; cat > "$dir/parts/$list"
  ask() { tool=$1; shift; "$tool" -o Dir::Etc::sourcelist=/dev/null -o Dir::Etc::sourceparts="$dir/parts" \\
    -o Dir::State::lists="$dir/lists" -o Dir::Cache="$dir/cache" -o Dir::Cache::srcpkgcache= \\
    -o Acquire::Languages=none -o APT::Update::Error-Mode=any "$@"; }
  ask apt-get -qq update >&2
fi
offered=$(ask apt-cache madison "$@")
printf '%s\\n==\\n' "$offered"
printf '%s\\n' "$offered" | while read -r name _ version _; do
  if [ "$name" = "$1" ] && dpkg --compare-versions "${version#*:}" lt "${installed#*:}"; then echo "$version"; fi
done
"""


def gather_package(shell: Shell, sections: Sections, engine_settings: EngineSection) -> Package | None:
    """Return the configured package, else the installed one, with its versions. None if none is installed."""
    names = tuple(dict.fromkeys((engine_settings.package, *CLI_PACKAGES) if engine_settings.package else CLI_PACKAGES))
    installed = {
        name: (state, version)
        for state, name, version in packages.parse_dpkg_rows(sections["packages"].text)
        if state[:2] not in ("un", "rc")
    }
    present = next((name for name in names if name in installed), None)
    if present is None:
        return None
    state, version = installed[present]
    name = engine_settings.package or present
    cli = CLI_PACKAGES.get(name, "")
    source = sections["apt_list"].file_text or ""
    path = str(engine_settings.apt_list) if source else ""
    switched = switch_component(source, engine_settings.apt_component)
    offered, older = _query_apt(shell, path, switched, version, name, *([cli] if cli else []))
    return Package(
        name,
        version,
        state,
        packages.parse_madison(offered, name),
        packages.parse_madison(offered, cli),
        cli_package=cli,
        downgrades=tuple(older.split()),
        replaces=present if present != name else "",
        cli_installed=installed.get(cli, ("", ""))[1],
    )


def _query_apt(shell: Shell, path: str, source: str, *arguments: str) -> tuple[str, str]:
    """Return the output of `apt-cache madison` for all packages, and the downgrades of the first one."""
    name = PurePosixPath(path).name
    try:
        output = shell.run(command(*script(CANDIDATES_SCRIPT, name, *arguments), stdin=source, timeout=180)).stdout
    except CommandFailed as error:
        hint = f"Check that the repository in {name} on {shell.host} is reachable."
        action, check = "querying apt for Engine versions", "candidate version"
        raise CommandFailed(shell.host, action, error.code, error.stderr, hint=hint, check=check) from error
    offered, _, older = output.partition("==\n")
    return offered, older
