"""Read, back up, write, and restore files on a host, over any Shell."""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from jobs.connectors.script_files import load_script
from jobs.connectors.shell import LOSSLESS_ERRORS, Shell, script, sudo
from jobs.errors import JobError, StateChanged

RUNNING_CONTAINERS_FILE = "/var/lib/imker/ran"  # names of the containers that ran before the restart
ROLLBACK_FILE = "/var/lib/imker/before"  # rollback point of an unfinished migration: backups, packages
MAX_FILE_LENGTH = 2**16  # characters
DIFFERS_EXIT, DIFFERS = 65, re.compile(r"^imker-changed (.{1,1000})$", re.MULTILINE)


@dataclass(frozen=True)
class FileChange:
    """A new text for a file. `before`: the text that it has to have, None if it has to be missing."""

    path: str
    before: str | None
    after: str
    backed_up: bool = True

    @property
    def words(self) -> tuple[str, ...]:
        """Return the file's arguments for the script: path, digest, whether to back it up, length of the new text."""
        length = len(self.after.encode(errors=LOSSLESS_ERRORS))
        return (self.path, _digest(self.before), "save" if self.backed_up else "", str(length))


def _digest(text: str | None) -> str:
    return "none" if text is None else hashlib.sha256(text.encode(errors=LOSSLESS_ERRORS)).hexdigest()


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


def change_files(shell: Shell, *changes: FileChange) -> None:
    """Back up and write files atomically, with one command. Their mode and owner are kept.

    Raise StateChanged if one has another text than expected. Then no file is changed.
    """
    words = [word for change in changes for word in change.words]
    change_script = script(load_script("backup", "change_files"), backup_suffix(), ROLLBACK_FILE, *words)
    change = sudo(*change_script, stdin="".join(change.after for change in changes), title="writing files")
    output = shell.run(replace(change, check=False))
    differing = DIFFERS.search(output.stderr) if output.code == DIFFERS_EXIT else None
    if differing:
        text = f"{differing[1]} on {shell.host} changed after the plan was made"
        raise StateChanged(text, host=shell.host)
    output.check(shell.host, change)


def back_up_file(shell: Shell, path: str) -> None:
    """Copy a file into the same folder. The first copy in a migration becomes part of the rollback point."""
    text = load_script("backup") + 'suffix=$2 record=$3\nback_up "$1"\n'
    shell.run(sudo(*script(text, path, backup_suffix(), ROLLBACK_FILE), title="copying a file"))


def name_list(names: Iterable[str]) -> str:
    """Return names for a script's stdin. The dot at the end shows the script that none was lost."""
    return "".join(f"{name}\n" for name in names) + "."


def backup_suffix() -> str:
    """Return the end of a backup's name: the UTC time, with microseconds so that names differ."""
    return datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")


def restore_backup(shell: Shell, copy: str, path: str) -> None:
    """Replace a file with its backup, with the backup's mode, owner, and modification time."""
    shell.run(sudo(*script(load_script("restore_file"), copy, path), title="restoring a file"))


def remove_files(shell: Shell, *paths: str) -> None:
    shell.run(sudo("rm", "-f", "--", *paths))
