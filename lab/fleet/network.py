"""The lab's own network: one bridge, one small web server for apt. Nothing else is reached through it."""

import sys
from pathlib import Path

from lab.fleet.hosts import BRIDGE, GATEWAY
from lab.fleet.shell import launch, sh

INOTIFY = Path("/proc/sys/fs/inotify/max_user_instances")  # root of all hosts shares it; 128 is too few


def up() -> None:
    if not Path(f"/sys/class/net/{BRIDGE}").exists():
        sh("ip", "link", "add", BRIDGE, "type", "bridge")
        sh("ip", "addr", "add", f"{GATEWAY}/24", "dev", BRIDGE)
        sh("ip", "link", "set", BRIDGE, "up")
    if int(INOTIFY.read_text()) < 1024:
        INOTIFY.write_text("1024")


def down() -> None:
    sh("ip", "link", "del", BRIDGE, check=False)


def serve(repository: Path) -> None:
    """The apt repository, on the bridge's address alone."""
    if not servers():
        argv = (sys.executable, "-m", "http.server", "8800", "--bind", GATEWAY, "--directory", str(repository))
        launch(*argv, output=Path("/dev/null"))


def servers() -> list[int]:
    """PIDs of the lab's web server, also of one that a killed lab left."""
    found = []
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            try:
                words = (process / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue  # it ended while we looked
            if b"http.server" in words and GATEWAY.encode() in words:
                found.append(int(process.name))
    return found
