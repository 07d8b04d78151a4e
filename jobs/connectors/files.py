"""Read, back up, write, and restore files on a host, over any Shell."""

from datetime import UTC, datetime

from jobs.connectors.shell import Shell, script, sudo
from jobs.errors import JobError

RUNNING_CONTAINERS_FILE = "/var/lib/imker/ran"  # names of the containers that ran before the restart
ROLLBACK_FILE = "/var/lib/imker/before"  # rollback point of an unfinished migration: backups, packages
MAX_FILE_LENGTH = 2**16  # characters
# A backup's name sorts by time. The backup keeps mode and owner. With $3, its path is appended there, before the file
# itself is written.
BACK_UP_SCRIPT = """
set -e
[ -e "$1" ] || exit 0
cp -p -- "$1" "$1.imker-$2"
[ -n "$3" ] || exit 0
umask 022; mkdir -p -- "${3%/*}"; echo "$1.imker-$2" >> "$3"
"""
APPEND_SCRIPT = 'set -e; umask 022; mkdir -p -- "${1%/*}"; printf "%s\\n" "$2" >> "$1"'
# Write a temporary file, then move it: a reader sees the old or the new text, never a part. Mode and owner are kept,
# and set before the text is written. A symbolic link stays a link.
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


def read_file(shell: Shell, path: str) -> str | None:
    """Return a file's text, None if it does not exist. Bytes that are not UTF-8 survive writing it back.

    Raise JobError for a file over MAX_FILE_LENGTH, which is no option file.
    """
    output = shell.run(sudo("cat", "--", path, check=False))
    if output.code == 0 and len(output.lossless_stdout) > MAX_FILE_LENGTH:
        raise too_long_error(shell.host, path)
    return output.lossless_stdout if output.code == 0 else None


def too_long_error(host: str, path: str) -> JobError:
    """Return the error of a file over MAX_FILE_LENGTH."""
    return JobError(
        f"{path} on {host} is larger than {MAX_FILE_LENGTH // 1024} KB",
        host=host,
        hint=f"Check the file on {host}: Imker reads no options from files of that size. Then plan again.",
        check="options not understood",
    )


def back_up_file(shell: Shell, path: str, for_rollback: bool) -> None:
    """Copy a file into the same folder. `for_rollback`: also add the backup to the rollback point."""
    shell.run(sudo(*script(BACK_UP_SCRIPT, path, backup_suffix(), ROLLBACK_FILE if for_rollback else "")))


def append_line(shell: Shell, path: str, line: str) -> None:
    """Append a line to a file."""
    shell.run(sudo(*script(APPEND_SCRIPT, path, line)))


def backup_suffix() -> str:
    """Return the end of a backup's name: the UTC time, with microseconds so that names differ."""
    return datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")


def write_file(shell: Shell, path: str, text: str) -> None:
    """Write a file atomically. Its mode and owner are kept."""
    shell.run(sudo(*script(WRITE_SCRIPT, path), stdin=text))


def restore_backup(shell: Shell, copy: str, path: str) -> None:
    """Replace a file with its backup, with the backup's mode, owner, and modification time."""
    shell.run(sudo(*script(RESTORE_SCRIPT, copy, path)))


def remove_files(shell: Shell, *paths: str) -> None:
    shell.run(sudo("rm", "-f", "--", *paths))
