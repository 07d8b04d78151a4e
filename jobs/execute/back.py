"""Back to what a host was before its migration, which may have begun in a job before this one: the host has it noted.

In: a Site. Out: what was noted; files and package as they were, or a JobError.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from imker.fault import fault
from jobs import remote
from jobs.daemon_options import cleaned_files
from jobs.errors import JobError
from jobs.execute import packages
from jobs.execute.site import Site
from jobs.facts import upstream
from jobs.shell import Shell


class Restored(JobError):
    """What was begun did not work, and the host is as it was."""


class Down(JobError):
    """What was begun did not work, and neither did going back."""


@dataclass(frozen=True)
class Before:
    """`copies`: path -> its saved copy; `packages`: "name=version" each, none as long as no upgrade was begun."""

    copies: Mapping[str, str]
    packages: tuple[str, ...]

    @property
    def engine(self) -> str:
        """The old package's version of the Engine."""
        return upstream(self.packages[0].partition("=")[2]) if self.packages else ""


def before(shell: Shell) -> Before:
    lines = (remote.read(shell, remote.BEFORE) or "").splitlines()
    copies = {line.rpartition(".imker-")[0]: line for line in lines if line.startswith("/")}
    return Before(copies, tuple(line for line in lines if not line.startswith("/")))


def keep(site: Site, path: str) -> None:
    """Saves a file beside itself, once a job; the first copy of a migration is the one to go back to."""
    if path not in site.kept:
        remote.save(site.shell, path, noted=path not in before(site.shell).copies)
        site.kept.add(path)


def note(site: Site, old_packages: tuple[str, ...]) -> None:
    """Once a migration, too: in the middle of an upgrade the installed one is no old one any more."""
    if old_packages and not before(site.shell).packages:
        remote.note(site.shell, remote.BEFORE, "\n".join(old_packages))


def restore(site: Site, old: Before) -> None:
    """What somebody wrote there since an earlier job is saved before it goes."""
    for path, copy in old.copies.items():
        now, then = remote.read(site.shell, path) or "", remote.read(site.shell, copy) or ""
        if now != then:
            keep(site, path)
            site.changed(path, now, then)
        remote.restore(site.shell, copy, path)


def clean(site: Site, old: Before) -> bool:
    """Takes the classic options out of the files put back; whether there were any."""
    texts = {path: remote.read(site.shell, path) or "" for path in old.copies}
    cleaned = {path: text for path, text in cleaned_files(texts).items() if text != texts[path]}
    for path, text in cleaned.items():
        site.changed(path, texts[path], text)
        remote.write(site.shell, path, text)
    return bool(cleaned)


def downgrade(site: Site, old: Before) -> bool:
    """Whether the old package is in again. The old files come first: it is the old source that offers it."""
    restore(site, old)
    fault("back.files")
    try:
        packages.install(site, old.packages)
    except JobError:
        return False  # apt's words are in the thread
    fault("back.package")
    return True
