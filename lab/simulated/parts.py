"""The parts of a simulated host: containers, packages, and the disk. Values; no host is known here."""

import time
from dataclasses import dataclass, field


@dataclass
class Container:
    """A container. `restart` is the name of its restart policy."""

    id: str
    name: str
    image: str
    restart: str
    ports: tuple[str, ...] = ()
    running: bool = True
    can_start: bool = True  # False is a fault: every start fails


@dataclass
class Package:
    """An installed package. `state` is dpkg's: "ii" installed, "iU" unpacked but not configured."""

    version: str
    state: str = "ii"


@dataclass
class Disk:
    """Files by path: their text, and when they were last written (UNIX seconds)."""

    texts: dict[str, str] = field(default_factory=dict)
    modified_at: dict[str, float] = field(default_factory=dict)

    def write(self, path: str, text: str) -> None:
        self.texts[path] = text
        self.modified_at[path] = time.time()

    def copy(self, path: str, to: str) -> None:
        """Copy a file with its modification time, as `cp -p` does."""
        self.texts[to], self.modified_at[to] = self.texts[path], self.modified_at[path]

    def remove(self, path: str) -> None:
        """Remove a file if it exists, as `rm -f` does."""
        self.texts.pop(path, None)
        self.modified_at.pop(path, None)
