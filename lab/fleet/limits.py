"""The kernel limit that the lab raises while hosts are up: root of all hosts shares it."""

from pathlib import Path

from lab.fleet.shell import STATE

INOTIFY = Path("/proc/sys/fs/inotify/max_user_instances")
ENOUGH = 1024  # for 16 hosts; the kernel's default is 128
BEFORE = STATE / "max_user_instances"  # the value to put back, also after a lab that was killed


def raise_limit() -> None:
    now = int(INOTIFY.read_text())
    if now < ENOUGH:
        BEFORE.write_text(str(now))
        INOTIFY.write_text(str(ENOUGH))


def restore_limit() -> None:
    """Put the limit back, unless somebody else has set it since."""
    if BEFORE.exists():
        if int(INOTIFY.read_text()) == ENOUGH:
            INOTIFY.write_text(BEFORE.read_text())
        BEFORE.unlink()
