"""One simulated host: its disk, packages, units, containers and daemon. State, and what changes it by itself.

What people type on it is understood in lab.simulated.commands, what they ask its Engine in lab.simulated.api.
"""

import hashlib
import itertools
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lab.fleet import options
from lab.fleet.hosts import APPLICATIONS, LabHost
from lab.simulated.dialect import OFFERED, Age
from lab.simulated.dockerd import Dockerd
from lab.simulated.units import Units

if TYPE_CHECKING:
    from lab.simulated.world import World

SOURCE = "/etc/apt/sources.list.d/docker.list"
CONFFILE, PACKAGED = "/etc/default/docker", "/lib/systemd/system/docker.service"
MAINTAINERS = '# Docker Upstart and SysVinit configuration file\n#DOCKER_OPTS="--dns 8.8.8.8"\n'
NEWER = MAINTAINERS + "# Use of this file is deprecated upstream; see also /etc/docker/daemon.json.\n"
UNIT = (
    "[Unit]\nAfter=network-online.target docker.socket\n[Service]\nType=notify\nEnvironmentFile=-/etc/default/docker\n"
    "ExecStart=/usr/sbin/dockerd -H fd:// $DOCKER_OPTS\n"
)


@dataclass
class Container:
    """`restart`: its policy's name."""

    id: str
    name: str
    image: str
    restart: str
    ports: tuple[str, ...] = ()
    running: bool = True
    starts: bool = True  # a fault: one that does not start any more


@dataclass
class Package:
    version: str
    state: str = "ii"


@dataclass
class Disk:
    """path -> text, and when it was last written, UNIX seconds."""

    texts: dict[str, str] = field(default_factory=dict)
    changed: dict[str, float] = field(default_factory=dict)

    def write(self, path: str, text: str) -> None:
        self.texts[path] = text
        self.changed[path] = time.time()

    def copy(self, path: str, to: str) -> None:
        """As `cp -p`: with its time."""
        self.texts[to], self.changed[to] = self.texts[path], self.changed[path]

    def remove(self, path: str) -> None:
        self.texts.pop(path, None)
        self.changed.pop(path, None)


class Machine:
    """`listening`, `power`: called with True and False as the Engine's TLS port and the host come and go."""

    def __init__(self, about: LabHost, world: "World", tls: dict[str, str], age: Age) -> None:
        self.about = about
        self.world = world
        self.age = age
        self.lock = threading.RLock()
        self.fence = threading.Lock()  # of /var/lib/imker, held by the command that changes the host
        self.listening: Callable[[bool], None] = lambda open_: None
        self.power: Callable[[bool], None] = lambda on: None
        self.up = True
        self.silent = threading.Event()  # a fault: accepts, and says nothing
        self.scrapped = threading.Event()
        self.apt_fails = False
        self.second = ""  # the address of a second interface
        self.machine_id = hashlib.sha256(about.name.encode()).hexdigest()[:32]
        self.groups = {"geschke", "sudo"}
        self.booted = time.time() - 3600
        self.disk = Disk()
        self.units = Units()
        self.journal: dict[str, list[str]] = {}
        self.packages = {name: Package(version) for name, version in OFFERED[age]["main"].items()}
        self.containers: dict[str, Container] = {}
        self.dockerd = Dockerd(self)
        self._ids = itertools.count(1)
        self._state_of_2016(tls)

    def _state_of_2016(self, tls: dict[str, str]) -> None:
        """The daemon runs without the cluster flags, and they stand on the disk."""
        for path, text in {PACKAGED: UNIT, CONFFILE: MAINTAINERS, **tls}.items():
            self.disk.write(path, text)
        self.disk.write(SOURCE, "deb [trusted=yes] http://packages.invalid/ bookworm main\n")
        for path, text in options.files(self.about, classic=False).items():
            self.disk.write(path, text)
        for name, image, arguments in (*APPLICATIONS, *self.about.classic):
            self.add(name, image, arguments)
        self.dockerd.start()
        self.dockerd.started = self.booted + 10
        for path, text in options.files(self.about, classic=True).items():
            self.disk.write(path, text)

    def add(self, name: str, image: str, arguments: str) -> None:
        """A container as `docker run` with these arguments would make it."""
        words = arguments.split()
        restart = next((word.split("=")[1] for word in words if word.startswith("--restart=")), "no")
        ports = tuple(value for flag, value in itertools.pairwise(words) if flag == "-p")
        key = hashlib.sha256(f"{self.name} {next(self._ids)}".encode()).hexdigest()
        self.containers[name] = Container(key, name, image, restart, ports)

    @property
    def name(self) -> str:
        return self.about.name

    def log(self, unit: str, line: str) -> None:
        self.journal.setdefault(unit, []).append(line)

    def reboot(self, seconds: float) -> None:
        """Power off, and on again after so long. What apt was doing stays half done."""
        with self.lock:
            self.up = False
            self.units.power_off()
            self.dockerd.stop()
            self.power(False)
        threading.Thread(target=self._boot, args=(seconds,), name=f"boot {self.name}", daemon=True).start()

    def scrap(self) -> None:
        """For good: if it is away, it does not come back."""
        with self.lock:
            self.scrapped.set()
            self.units.power_off()

    def _boot(self, seconds: float) -> None:
        self.scrapped.wait(seconds)
        with self.lock:
            if self.scrapped.is_set():
                return
            self.booted = time.time()
            self.up = True
            self.power(True)
            self.dockerd.start()
