"""Back to what a host was: its files from their saved texts, its package by apt."""

from collections.abc import Mapping

from jobs import remote
from jobs.errors import JobError
from jobs.execute import packages
from jobs.execute.site import Site


class Restored(JobError):
    """What was begun did not work, and the host is as it was."""

    state = "It runs as before, with its old Engine and options; the classic Swarm's containers stay removed."


class Down(JobError):
    """What was begun did not work, and neither did going back."""


def restore(site: Site, files: Mapping[str, str]) -> None:
    for path, text in files.items():
        site.changed(path, remote.read(site.shell, path) or "", text)
        remote.write(site.shell, path, text)


def downgrade(site: Site, old_packages: tuple[str, ...]) -> bool:
    """Whether the old package is in again. The old files come first: it is the old source that offers it."""
    restore(site, site.saved)
    try:
        packages.install(site, old_packages)
    except JobError:
        return False  # apt's words are in the thread
    return True
