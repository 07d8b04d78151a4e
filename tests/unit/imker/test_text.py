"""Text from a host is safe and short before it reaches a terminal, a log, an event, or a regular expression."""

import logging
import time
from typing import Any

import pytest

from imker.log import _redact_event, _RedactingFormatter
from imker.protocol.values import Finding
from imker.redaction import MAX_LENGTH, redact
from imker.text import one_line, strip_control, truncate
from jobs.connectors import files
from jobs.connectors.shell import Command, Output
from jobs.errors import CommandFailed, JobError

OWNED = "\x1b]0;owned\x07\x1b[2K\x1b[1A\x1b[32mpass  all is well\x1b]52;c;cm0gLXJm\x07\r\n"
OWNED += "\u202epass\u2028fail \ud800\x9b2J\u061c"
BAD = set("\x00\x07\x08\x1b\r\x9b\u202e\u2028\u061c\ud800")


@pytest.mark.parametrize("clean", [strip_control, one_line, lambda text: truncate(strip_control(text), 50)])
def test_removes_all_control_characters(clean: Any) -> None:
    assert not BAD & set(clean(OWNED))


def test_one_line_is_short_and_has_no_breaks() -> None:
    assert one_line("a\n\n b\t\r\nc ") == "a b c"
    assert one_line("\n".join("ab") * 10**6, 100) == one_line("\n".join("ab") * 100, 100)
    assert len(one_line("x" * 10**7)) == 500


def test_doctor_line_cannot_be_forged_or_write_to_the_clipboard() -> None:
    line = Finding("Engine of tondi", "block", OWNED, OWNED).as_text
    assert not BAD & set(line)
    assert [part[:6] for part in line.split("\n")] == ["fail  ", "      "]
    assert len(Finding("c" * 10**6, "block", "t" * 10**6, "h" * 10**6).as_text) < 5000


@pytest.mark.parametrize("failed", [JobError(OWNED * 10**4, hint=OWNED * 10**4, state=OWNED * 10**4),
                                    CommandFailed("tondi", "apt", 1, OWNED * 10**4)])  # fmt: skip
def test_error_text_is_safe_and_short(failed: JobError) -> None:
    for text in (failed.summary, failed.hint, failed.state, str(failed)):
        assert not BAD & set(text)
        assert "\n" not in text
        assert len(text) <= 2000


def test_log_line_has_no_breaks_or_control_characters() -> None:
    record = logging.LogRecord("paramiko", logging.WARNING, "x.py", 1, "said %s", (OWNED + "\nERROR root fake",), None)
    line = _RedactingFormatter("%(levelname)s %(name)s %(message)s").format(record)
    assert not BAD & set(line)
    assert [part[:4] for part in line.splitlines()[1:]] == ["    "] * len(line.splitlines()[1:])
    event = _redact_event(None, "", {"event": "job failed", "summary": OWNED})  # type: ignore[arg-type]
    assert not BAD & set(event["summary"])


@pytest.mark.parametrize("piece", ["://::::", "a", "password=", "://" * 85 + '"@', "SWMTKN-"])
def test_shortens_long_text_before_masking(piece: str) -> None:
    began = time.process_time()
    assert len(redact(piece * (4 * 2**20 // len(piece)))) <= MAX_LENGTH
    assert time.process_time() - began < 5


def test_leaves_no_half_of_a_secret_at_the_cut() -> None:
    for shift in range(0, 60, 7):
        text = (
            "x " * (MAX_LENGTH // 2 - 10 - shift // 2)
            + "http://imker:hunter2hunter2hunter2hunter2hunter2@proxy "
            + "y" * MAX_LENGTH
        )
        assert "hunter" not in redact(text)


class Says:
    """A shell of a host whose files all have this text."""

    host = "tondi"

    def __init__(self, text: str) -> None:
        self.text = text

    def run(self, command: Command) -> Output:
        return Output(0, self.text, "")

    def reconnect(self) -> None:
        """Do nothing: no connection is open."""


def test_does_not_read_an_options_file_that_is_too_large() -> None:
    assert files.read_file(Says("x" * files.MAX_FILE_LENGTH), "/etc/default/docker") == "x" * files.MAX_FILE_LENGTH
    with pytest.raises(JobError, match="/etc/default/docker on tondi is larger than 64 KB") as failed:
        files.read_file(Says("x" * (files.MAX_FILE_LENGTH + 1)), "/etc/default/docker")
    assert failed.value.check == "options not understood"
