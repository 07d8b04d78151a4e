"""Wait for the embedded Redis to stop: its keeper writes into the folder for a moment after the last user exits."""

import time
from pathlib import Path

from imker import embedded_redis


def wait_until_ended(folder: Path) -> None:
    deadline = time.monotonic() + 60
    while folder.exists() and embedded_redis._keeper_alive(folder):
        assert time.monotonic() < deadline, (folder / "log").read_text()
        time.sleep(0.05)
