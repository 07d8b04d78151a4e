"""The lab's own network: one bridge, one small web server for apt. Nothing else is reached through it."""

import contextlib
import os
import signal
import sys
import time
from pathlib import Path

from lab.fleet.hosts import BRIDGE, GATEWAY
from lab.fleet.shell import launch, sh

INOTIFY = Path("/proc/sys/fs/inotify/max_user_instances")  # root of all hosts shares it; 128 is too few


def up() -> None:
    if not Path(f"/sys/class/net/{BRIDGE}").exists():
        sh("ip", "link", "add", BRIDGE, "type", "bridge")
    sh("ip", "addr", "replace", f"{GATEWAY}/24", "dev", BRIDGE)
    sh("ip", "link", "set", BRIDGE, "up")
    if int(INOTIFY.read_text()) < 1024:
        INOTIFY.write_text("1024")


def down() -> None:
    _end_servers()
    sh("ip", "link", "del", BRIDGE, check=False)


def serve(repository: Path) -> None:
    """The apt repository, on the bridge's address alone, instead of an older one."""
    _end_servers(but=str(repository))
    if not servers():
        argv = (sys.executable, "-m", "http.server", "8800", "--bind", GATEWAY, "--directory", str(repository))
        launch(*argv, output=Path("/dev/null"))


def servers() -> dict[int, str]:
    """PID -> folder of the lab's web server, also of one that a killed lab left."""
    found = {}
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            try:
                words = (process / "cmdline").read_bytes().decode(errors="replace").split("\0")
            except OSError:
                continue  # it ended while we looked
            if "http.server" in words and GATEWAY in words:
                found[int(process.name)] = words[words.index("--directory") + 1]
    return found


def _end_servers(but: str = "") -> None:
    while wrong := [pid for pid, folder in servers().items() if folder != but]:
        for pid in wrong:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.02)
