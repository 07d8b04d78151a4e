"""Explain why the embedded server does not start, from its log: the last lines, and the command that repairs its file.

Valkey 9.1 has no setting that loads a file with damage in its middle (`aof-load-truncated` is for a cut end alone), and
its check of a manifest takes each new base file for broken (valkey#4739): the damaged file itself is what is repaired.
"""

import re
import shlex
import shutil
from pathlib import Path

START_MARKER = "Valkey is starting"
TAIL_BYTES, SHOWN_LINES = 16_384, 3  # bytes of the log that are read; lines that are shown
MAX_LOG_BYTES, KEPT_LOG_BYTES = 2**20, 2**16  # bytes of a log, and of what is left of one that is longer
DAMAGE_PATTERN = re.compile(
    r"(?:Bad file format|Unexpected end of file) reading the append only file ([\w.-]+?)(?::|\. You)"
)
CHECK_TOOL = "valkey-check-aof"


def explain_damage(folder: Path, program: Path) -> str:
    """Return what the log says, for people. `program`: the server, which is the check too under another name."""
    lines = _last_start(folder / "log")
    if not lines:
        return f"{folder / 'log'} may say why"
    said = f"its log, {folder / 'log'}, ends with:\n" + "\n".join(f"    {line}" for line in lines[-SHOWN_LINES:])
    found = next(filter(None, (DAMAGE_PATTERN.search(line) for line in reversed(lines))), None)
    return f"{said}\n{_repair(folder / 'appendonlydir' / found[1], program)}" if found else said


def shorten_log(log: Path) -> None:
    """Keep the end of a log that is too long. Whoever writes to it appends."""
    if log.stat().st_size > MAX_LOG_BYTES:
        with log.open("r+b") as file:
            file.seek(-KEPT_LOG_BYTES, 2)
            end = file.read()
            file.truncate(0)
            file.seek(0)
            file.write(end)


def _last_start(log: Path) -> list[str]:
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - TAIL_BYTES))
            text = file.read().decode(errors="replace")
    except OSError:
        return []
    lines = ["".join(filter(str.isprintable, line))[:300] for line in text.splitlines()]
    begun = [at for at, line in enumerate(lines) if START_MARKER in line]
    return list(filter(None, lines[begun[-1] + 1 if begun else 0 :]))


def _repair(file: Path, program: Path) -> str:
    check = CHECK_TOOL if shutil.which(CHECK_TOOL) else f"exec -a {CHECK_TOOL} {shlex.quote(str(program))}"
    return (
        f"{file} is damaged, and no server starts with it. Make a copy of {file.parent}; then this, in bash, cuts the "
        f"file off where the damage begins, and all that was written after that is lost:\n"
        f"    ({check} --fix {shlex.quote(str(file))})\n"
        "The server is then started by itself."
    )
