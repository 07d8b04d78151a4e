"""Files and transient units on a host, over any Shell. What is changed is saved beside itself first."""

from dataclasses import dataclass
from datetime import UTC, datetime

from jobs.errors import JobError
from jobs.facts import properties
from jobs.lock import MOST
from jobs.shell import Shell

RAN = "/var/lib/imker/ran"  # names of the containers that ran before the Engine's restart
BEFORE = "/var/lib/imker/before"  # what a migration that is not over goes back to: saved copies, old packages
UPGRADE = "imker-upgrade.service"
LARGEST = 2**16  # characters of a file
FENCE = "/var/lib/imker/fence"  # the mark of the latest run that may change this host
BUSY, LATER, BROKEN = 75, 76, 77  # exit codes of a refusal
# Runs a command for the mark $2 $3 $4 (number, run, since), if no other's number is as high. The lock is kept until the
# command ends: two runs' changes never overlap, whatever has become of their connections. $5: seconds to wait for it.
# What is no number counts as 0; of one too high, `[` itself would fail, and the lower mark take its place.
FENCED = f"""
set -e
umask 022; mkdir -p -- "${{1%/*}}"; exec 9<"${{1%/*}}"
flock -w "$5" 9 || {{ echo "imker-fence busy $(head -c 200 -- "$1" 2>/dev/null)" >&2; exit {BUSY}; }}
seen=$(head -c 200 -- "$1" 2>/dev/null || true); number=${{seen%% *}}
case $number in ''|*[!0-9]*) number=0 ;; esac
if [ "$seen" != "$2 $3 $4" ]; then
  if [ "${{#number}}" -gt 16 ] || [ "$number" -gt {MOST} ]; then echo "imker-fence broken $seen" >&2; exit {BROKEN}; fi
  if [ "$number" -ge "$2" ]; then echo "imker-fence later $seen" >&2; exit {LATER}; fi
  echo "$2 $3 $4" >"$1~"; mv -f -- "$1~" "$1"
fi
shift 5; exec "$@"
"""
# A copy's name sorts by time; the copy keeps mode and owner, and is noted in $3 if that is to be, before the file is
# written.
SAVE = """
set -e
[ -e "$1" ] || exit 0
cp -p -- "$1" "$1.imker-$2"
[ -n "$3" ] || exit 0
umask 022; mkdir -p -- "${3%/*}"; echo "$1.imker-$2" >> "$3"
"""
NOTE = 'set -e; umask 022; mkdir -p -- "${1%/*}"; printf "%s\\n" "$2" >> "$1"'
# tmp + mv: a reader sees the old text or the new, never a half; mode and owner stay, and are there
# before the text is; so does a link to the file.
WRITE = """
set -e
umask 022; mkdir -p -- "$(dirname -- "$1")"
to=$(readlink -f -- "$1")
rm -f -- "$to.imker~"
if [ -e "$to" ]; then cp -p -- "$to" "$to.imker~"; fi
cat > "$to.imker~"
mv -f -- "$to.imker~" "$to"
"""
RESTORE = """
set -e
to=$(readlink -f -- "$2")
cp -p -- "$1" "$to.imker~"
mv -f -- "$to.imker~" "$to"
"""
LIST = 'for copy in "$1".imker-*; do [ -e "$copy" ] && printf "%s\\n" "$copy"; done; true'


@dataclass(frozen=True)
class UnitState:
    """A transient unit: `active` is "" when there is none; `code`: its exit status once it has ended; `about`: its
    description."""

    active: str
    sub: str
    code: int
    about: str = ""

    @property
    def running(self) -> bool:
        return self.active in ("activating", "active") and self.sub != "exited"


def read(shell: Shell, path: str) -> str | None:
    """A file's text, None if there is no such file. What is no UTF-8 in it is written back as it was.

    Raises JobError for a file that is too large to be one of options: it would be read in pieces, or for hours."""
    output = shell.run("cat", "--", path, sudo=True, check=False)
    if output.code == 0 and len(output.exact) > LARGEST:
        raise JobError(
            f"{path} on {shell.host} is larger than {LARGEST // 1024} KB",
            host=shell.host,
            hint=f"Look at it on {shell.host}: Imker reads no options from a file of that size. Then plan again.",
            check="options not understood",
        )
    return output.exact if output.code == 0 else None


def saved_copies(shell: Shell, path: str) -> list[str]:
    """Imker's copies of a file, oldest first."""
    return sorted(shell.run("sh", "-c", LIST, "imker", path, sudo=True).stdout.splitlines())


def save(shell: Shell, path: str, noted: bool) -> None:
    """Copies a file beside itself. `noted`: as what to go back to."""
    shell.run("sh", "-c", SAVE, "imker", path, stamp(), BEFORE if noted else "", sudo=True)


def note(shell: Shell, path: str, line: str) -> None:
    """Puts a line at a file's end."""
    shell.run("sh", "-c", NOTE, "imker", path, line, sudo=True)


def stamp() -> str:
    """The end of a saved copy's name: no two within a second are one."""
    return datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")


def write(shell: Shell, path: str, text: str) -> None:
    shell.run("sh", "-c", WRITE, "imker", path, sudo=True, stdin=text)


def restore(shell: Shell, copy: str, path: str) -> None:
    """A saved copy in a file's place, byte for byte, with the copy's mode, owner and time."""
    shell.run("sh", "-c", RESTORE, "imker", copy, path, sudo=True)


def remove(shell: Shell, *paths: str) -> None:
    shell.run("rm", "-f", "--", *paths, sudo=True)


def packages(shell: Shell, *names: str) -> list[tuple[str, str, str]]:
    """(dpkg's state, name, version) of those of these packages that dpkg knows a version of."""
    form = "${db:Status-Abbrev}|${Package}|${Version}\n"
    shown = shell.run("dpkg-query", "-W", "-f", form, *names, check=False).stdout
    rows = (tuple(part.strip() for part in line.split("|")) for line in shown.splitlines())
    return [(row[0], row[1], row[2]) for row in rows if len(row) == 3 and row[2]]


def start_unit(shell: Shell, unit: str, about: str, script: str, *arguments: str) -> None:
    """Runs a script under systemd, so that it outlives this connection; its exit status stays until `forget_unit`."""
    start_program(shell, unit, about, "sh", "-c", script, "imker", *arguments)


def start_program(shell: Shell, unit: str, about: str, *argv: str) -> None:
    shell.run(
        "systemd-run",
        f"--unit={unit}",
        f"--description={about}",
        "--property=RemainAfterExit=yes",
        "--property=KillMode=mixed",
        "--setenv=DEBIAN_FRONTEND=noninteractive",
        "--setenv=NEEDRESTART_MODE=l",
        *(word.replace("$", "$$") for word in argv),  # systemd would put its own variables in
        sudo=True,
    )


def unit_state(shell: Shell, unit: str) -> UnitState:
    keys = ("LoadState", "ActiveState", "SubState", "ExecMainStatus", "Description")
    shown = properties(shell.run("systemctl", "show", unit, *(f"-p{key}" for key in keys)).stdout)
    if shown.get("LoadState") == "not-found":
        return UnitState("", "", 0)
    code = int(shown.get("ExecMainStatus") or 0)
    return UnitState(shown.get("ActiveState", ""), shown.get("SubState", ""), code, shown.get("Description", ""))


def unit_output(shell: Shell, unit: str, lines: int) -> str:
    return shell.run("journalctl", "-u", unit, "-o", "cat", "-n", str(lines), "--no-pager", sudo=True).stdout


def forget_unit(shell: Shell, unit: str) -> None:
    shell.run("systemctl", "stop", unit, sudo=True, check=False)
    shell.run("systemctl", "reset-failed", unit, sudo=True, check=False)
