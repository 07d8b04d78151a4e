"""The kernel limit that the lab raises while hosts are up, because root of all hosts shares it."""

from pathlib import Path

from lab.fleet.shell import STATE_DIR

INOTIFY_LIMIT = Path("/proc/sys/fs/inotify/max_user_instances")
NEEDED_INSTANCES = 1024  # enough for 16 hosts; the kernel default is 128
SAVED_LIMIT = STATE_DIR / "max_user_instances"  # stores the value to restore, also after a kill


def raise_limit() -> None:
    now = int(INOTIFY_LIMIT.read_text())
    if now < NEEDED_INSTANCES:
        SAVED_LIMIT.write_text(str(now))
        INOTIFY_LIMIT.write_text(str(NEEDED_INSTANCES))


def restore_limit() -> None:
    """Restore the limit, unless it was changed since."""
    if SAVED_LIMIT.exists():
        if int(INOTIFY_LIMIT.read_text()) == NEEDED_INSTANCES:
            INOTIFY_LIMIT.write_text(SAVED_LIMIT.read_text())
        SAVED_LIMIT.unlink()
