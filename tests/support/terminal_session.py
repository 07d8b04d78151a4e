"""Run a program in a terminal of its own, and answer its questions."""

import fcntl
import os
import pty
import re
import select
import subprocess
import termios
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

PATIENCE = 60  # seconds for a question, on a machine with other tests


class TerminalSession:
    """A program in a terminal. `screen`: all that it has printed; `answers`: how many it was given."""

    def __init__(self, process: "subprocess.Popen[bytes]", terminal: int) -> None:
        self._process, self._terminal = process, terminal
        self._raw, self._read_to = b"", 0
        self.screen = ""
        self.answers = 0

    def wait_for(self, text: str) -> None:
        """Wait until the text is printed, after what was waited for before."""
        deadline = time.monotonic() + PATIENCE
        while text not in self.screen[self._read_to :]:
            assert time.monotonic() < deadline, f"no {text!r} after:\n{self.screen}"
            assert self._read(), f"ended without {text!r}:\n{self.screen}"
        self._read_to = self.screen.index(text, self._read_to) + len(text)

    def answer(self, question: str, text: str) -> None:
        """Wait for the question, and type the answer."""
        self.wait_for(question)
        self.wait_for(": ")
        self.answers += 1
        self.type(f"{text}\n")

    def type(self, text: str) -> None:
        """Type the text."""
        os.write(self._terminal, text.encode())

    def interrupt(self) -> int:
        """Press Ctrl-C until the program ends, and return its exit status.

        Python misses one that arrives after it has printed a question and before it reads the answer.
        """
        for _ in range(PATIENCE):
            self.type("\x03")
            readable, _, _ = select.select([self._terminal], [], [], 1)
            while readable:
                if not self._read():
                    return self._process.wait(PATIENCE)
                readable, _, _ = select.select([self._terminal], [], [], 1)
        raise AssertionError(f"it did not end after:\n{self.screen}")

    def wait(self) -> int:
        """Read the rest, and return the exit status."""
        while self._read():
            pass
        return self._process.wait(PATIENCE)

    def _read(self) -> bool:
        """Read some text. Return False at the end."""
        readable, _, _ = select.select([self._terminal], [], [], PATIENCE)
        assert readable, f"nothing printed for {PATIENCE} s after:\n{self.screen}"
        with suppress(OSError):  # Linux reports the end as an error
            raw = os.read(self._terminal, 65536)
            self._raw += raw
            self.screen = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]|\r", "", self._raw.decode(errors="ignore"))
            return bool(raw)
        return False


@contextmanager
def run_in_terminal(argv: Sequence[str], folder: Path, environment: Mapping[str, str]) -> Iterator[TerminalSession]:
    """Run the program until the block ends."""
    terminal, end = pty.openpty()
    fcntl.ioctl(end, termios.TIOCSWINSZ, b"\x32\x00\x78\x00" + bytes(4))  # 50 rows, 120 columns
    process = subprocess.Popen(
        argv,
        cwd=folder,
        env=environment,
        stdin=end,
        stdout=end,
        stderr=end,
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    )
    os.close(end)
    try:
        yield TerminalSession(process, terminal)
    finally:
        process.kill()
        process.wait()
        os.close(terminal)
