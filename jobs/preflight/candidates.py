"""The Engine's package, and what apt would offer in its place with the wanted source. Changes nothing on the host.

In: a shell, the apt list's text, the settings. Out: a Package of jobs.facts, None when there is none.
"""

from pathlib import PurePosixPath

from jobs import facts, remote
from jobs.errors import CommandFailed
from jobs.facts import Package
from jobs.settings import EngineSection
from jobs.shell import Shell
from jobs.sources import switched

CLIS = {
    "docker-ce": "docker-ce-cli",
    "docker.io": "docker-cli",
    "docker-engine": "",
}  # the Engine's package -> its CLI's
# Fresh lists in a folder of its own, so that asking changes nothing on the host. The list keeps its name: apt tells
# its two ways of writing by that. Without a list, apt's own lists are asked as they are. What is older, dpkg says, by
# the Engine's version alone: an epoch is the package's.
CANDIDATES = """
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


def package(shell: Shell, source: str, engine: EngineSection) -> Package | None:
    """The one that is wanted, or, with none wanted, the one installed; with what is installed now."""
    names = tuple(dict.fromkeys((engine.package, *CLIS) if engine.package else CLIS))
    there = {
        name: (state, version)
        for state, name, version in remote.packages(shell, *names)
        if state[:2] not in ("un", "rc")
    }
    present = next((name for name in names if name in there), None)
    if present is None:
        return None
    state, version = there[present]
    wanted = engine.package or present
    cli = CLIS.get(wanted, "")
    path = str(engine.apt_list) if source else ""
    offered, *of_cli, older = _asked(
        shell, path, switched(source, engine.apt_component), version, wanted, *([cli] if cli else [])
    )
    return Package(
        wanted,
        version,
        state,
        facts.madison(offered),
        facts.madison("".join(of_cli)),
        cli=cli,
        older=tuple(older.split()),
        present=present if present != wanted else "",
    )


def _asked(shell: Shell, path: str, source: str, *about: str) -> list[str]:
    """Of each package what apt offers, and last what of the first is older than the installed version."""
    name = PurePosixPath(path).name
    try:
        said = shell.run("sh", "-c", CANDIDATES, "imker", name, *about, stdin=source, timeout=180).stdout
    except CommandFailed as failed:
        hint = f"See {name} on {shell.host}: is the repository there?"
        what, check = "asking apt for the new Engine", "candidate version"
        raise CommandFailed(shell.host, what, failed.code, failed.stderr, hint=hint, check=check) from failed
    return said.split("==\n")
