"""Explain from its log why the embedded server does not start, with the command that repairs a damaged file.

Valkey 9.1 cannot load a file with damage in its middle: `aof-load-truncated` helps only if the end is missing. Its
check of a manifest reports each new base file as broken (valkey#4739), so the command repairs the file itself.
"""

import re
import shlex
import shutil
from pathlib import Path

START_MARKER = "Valkey is starting"
TAIL_BYTES, SHOWN_LINES = 16_384, 3  # bytes of the log that are read, lines that are shown
MAX_LOG_BYTES, KEPT_LOG_BYTES = 2**20, 2**16  # bytes: a longer log is shortened to the second number
DAMAGE_PATTERN = re.compile(
    r"(?:Bad file format|Unexpected end of file) reading the append only file ([\w.-]+?)(?::|\. You)"
)
CHECK_TOOL = "valkey-check-aof"


def explain_damage(folder: Path, program: Path) -> str:
    """Return the end of the log and, for a damaged file, the repair command. `program`: the server binary."""
    lines = _last_start(folder / "log")
    if not lines:
        return f"see {folder / 'log'}"
    log_end = f"its log, {folder / 'log'}, ends with:\n" + "\n".join(f"    {line}" for line in lines[-SHOWN_LINES:])
    match = next(filter(None, (DAMAGE_PATTERN.search(line) for line in reversed(lines))), None)
    return f"{log_end}\n{_repair(folder / 'appendonlydir' / match[1], program)}" if match else log_end


def shorten_log(log: Path) -> None:
    """Delete the beginning of a log that is too long. Its writers append."""
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
    starts = [at for at, line in enumerate(lines) if START_MARKER in line]
    return list(filter(None, lines[starts[-1] + 1 if starts else 0 :]))


def _repair(file: Path, program: Path) -> str:
    check = CHECK_TOOL if shutil.which(CHECK_TOOL) else f"exec -a {CHECK_TOOL} {shlex.quote(str(program))}"
    return (
        f"{file} is damaged, so the server cannot start. Copy {file.parent} first. Then run this in bash. It cuts the "
        f"file off where the damage begins, and everything written after that is lost:\n"
        f"    ({check} --fix {shlex.quote(str(file))})\n"
        "The server then starts automatically."
    )
