"""Files on a host over any Shell. A changed file is saved beside itself first."""

from datetime import UTC, datetime

from jobs.connectors.shell import Shell
from jobs.errors import JobError

RUNNING_CONTAINERS_FILE = "/var/lib/imker/ran"  # names of the containers that ran before the Engine's restart
ROLLBACK_FILE = "/var/lib/imker/before"  # what a migration that is not over goes back to: saved copies, old packages
LARGEST = 2**16  # characters of a file
# A copy's name sorts by time; the copy keeps mode and owner, and is noted in $3 if that is to be, before the file is
# written.
BACK_UP_SCRIPT = """
set -e
[ -e "$1" ] || exit 0
cp -p -- "$1" "$1.imker-$2"
[ -n "$3" ] || exit 0
umask 022; mkdir -p -- "${3%/*}"; echo "$1.imker-$2" >> "$3"
"""
APPEND_SCRIPT = 'set -e; umask 022; mkdir -p -- "${1%/*}"; printf "%s\\n" "$2" >> "$1"'
# tmp + mv: a reader sees the old text or the new, never a half; mode and owner stay, and are there
# before the text is; so does a link to the file.
WRITE_SCRIPT = """
set -e
umask 022; mkdir -p -- "$(dirname -- "$1")"
to=$(readlink -f -- "$1")
rm -f -- "$to.imker~"
if [ -e "$to" ]; then cp -p -- "$to" "$to.imker~"; fi
cat > "$to.imker~"
mv -f -- "$to.imker~" "$to"
"""
RESTORE_SCRIPT = """
set -e
to=$(readlink -f -- "$2")
cp -p -- "$1" "$to.imker~"
mv -f -- "$to.imker~" "$to"
"""
LIST_SCRIPT = 'for copy in "$1".imker-*; do [ -e "$copy" ] && printf "%s\\n" "$copy"; done; true'


def read_file(shell: Shell, path: str) -> str | None:
    """A file's text, None if there is no such file. What is no UTF-8 in it is written back as it was.

    Raises JobError for a file that is too large to be one of options: it would be read in pieces, or for hours."""
    output = shell.run("cat", "--", path, sudo=True, check=False)
    if output.code == 0 and len(output.lossless_stdout) > LARGEST:
        raise JobError(
            f"{path} on {shell.host} is larger than {LARGEST // 1024} KB",
            host=shell.host,
            hint=f"Look at it on {shell.host}: Imker reads no options from a file of that size. Then plan again.",
            check="options not understood",
        )
    return output.lossless_stdout if output.code == 0 else None


def list_backups(shell: Shell, path: str) -> list[str]:
    """Imker's copies of a file, oldest first."""
    return sorted(shell.run("sh", "-c", LIST_SCRIPT, "imker", path, sudo=True).stdout.splitlines())


def back_up_file(shell: Shell, path: str, for_rollback: bool) -> None:
    """Copies a file beside itself. `noted`: as what to go back to."""
    shell.run(
        "sh", "-c", BACK_UP_SCRIPT, "imker", path, backup_suffix(), ROLLBACK_FILE if for_rollback else "", sudo=True
    )


def append_line(shell: Shell, path: str, line: str) -> None:
    """Puts a line at a file's end."""
    shell.run("sh", "-c", APPEND_SCRIPT, "imker", path, line, sudo=True)


def backup_suffix() -> str:
    """The end of a saved copy's name: no two within a second are one."""
    return datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")


def write_file(shell: Shell, path: str, text: str) -> None:
    shell.run("sh", "-c", WRITE_SCRIPT, "imker", path, sudo=True, stdin=text)


def restore_backup(shell: Shell, copy: str, path: str) -> None:
    """A saved copy in a file's place, byte for byte, with the copy's mode, owner and time."""
    shell.run("sh", "-c", RESTORE_SCRIPT, "imker", copy, path, sudo=True)


def remove_files(shell: Shell, *paths: str) -> None:
    shell.run("rm", "-f", "--", *paths, sudo=True)
