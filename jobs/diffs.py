"""What a plan changes in files, whole: for the run's thread, of whose replies none may be too long. Pure."""

from jobs.contract import Detail
from jobs.daemon_options import FileEdit, diff

LONGEST = 2500  # characters that a reply surely shows


def details(host: str, edits: tuple[FileEdit, ...]) -> tuple[Detail, ...]:
    """Each file's diff, in as many pieces as it takes."""
    return tuple(detail for edit in edits for detail in _of(f"{host}: what changes in {edit.path}", diff((edit,))))


def _of(title: str, text: str) -> list[Detail]:
    pieces = [""]
    for line in text.splitlines(keepends=True):
        if pieces[-1] and len(pieces[-1]) + len(line) > LONGEST:
            pieces.append("")
        pieces[-1] += line
    numbers = [f" ({number} of {len(pieces)})" if len(pieces) > 1 else "" for number in range(1, len(pieces) + 1)]
    return [Detail(title + number, piece) for number, piece in zip(numbers, pieces, strict=True)]
