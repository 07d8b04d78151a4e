"""One simulated host: disk, packages, units, containers, and daemon.

lab.simulated.commands runs the commands typed on it; lab.simulated.engine_api serves its Engine API.
"""

import hashlib
import itertools
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from typing import Protocol

from lab.fleet import daemon_option_files
from lab.fleet.hosts import APPLICATIONS, IMAGES, LabHost
from lab.simulated.dockerd import Dockerd
from lab.simulated.engine_versions import PACKAGE_VERSIONS, EngineAge, Pace
from lab.simulated.history import History
from lab.simulated.parts import Container, Disk, Package
from lab.simulated.swarm import Swarm
from lab.simulated.units import Units

APT_SOURCE_PATH = "/etc/apt/sources.list.d/docker.list"
CONFFILE, PACKAGED_UNIT_PATH = "/etc/default/docker", "/lib/systemd/system/docker.service"
OLD_CONFFILE_TEXT = '# Docker Upstart and SysVinit configuration file\n#DOCKER_OPTS="--dns 8.8.8.8"\n'
NEW_CONFFILE_TEXT = OLD_CONFFILE_TEXT + "# Use of this file is deprecated upstream; see also /etc/docker/daemon.json.\n"
UNIT_TEXT = (
    "[Unit]\nAfter=network-online.target docker.socket\n[Service]\nType=notify\nEnvironmentFile=-/etc/default/docker\n"
    "ExecStart=/usr/sbin/dockerd -H fd:// $DOCKER_OPTS\n"
)


class Surroundings(Protocol):
    """The surroundings that all hosts of a fleet share."""

    @property
    def pace(self) -> Pace: ...
    @property
    def history(self) -> History: ...
    @property
    def swarm(self) -> Swarm: ...
    @property
    def slow_joins(self) -> set[str]: ...
    @property
    def machines(self) -> Mapping[str, "Machine"]: ...


class Machine:
    """A simulated host.

    `on_tls_change` and `on_power_change` are called with True or False when the Engine's TLS port or the host goes up
    or down.
    """

    def __init__(self, lab_host: LabHost, world: Surroundings, tls: dict[str, str], age: EngineAge) -> None:
        self.lab_host = lab_host
        self.world = world
        self.age = age
        self.lock = threading.RLock()
        self.fence_lock = threading.Lock()  # the lock in /var/lib/imker, held by a fenced command
        self.on_tls_change: Callable[[bool], None] = lambda open_: None
        self.on_power_change: Callable[[bool], None] = lambda on: None
        self.is_up = True
        self.silent = threading.Event()  # a fault: accepts connections but does not respond
        self.discarded = threading.Event()
        self.apt_fails = False
        self.second = ""  # the address of a second interface
        self.machine_id = hashlib.sha256(lab_host.name.encode()).hexdigest()[:32]
        self.groups = {"geschke", "sudo"}
        self.booted_at = time.time() - 3600
        self.disk = Disk()
        self.units = Units()
        self.journal: dict[str, list[str]] = {}
        self.packages = {name: Package(version) for name, version in PACKAGE_VERSIONS[age]["main"].items()}
        self.images = {*IMAGES}
        self.archives: set[str] = set()  # downloaded packages, "name=version" each
        self.containers: dict[str, Container] = {}
        self.dockerd = Dockerd(self)
        self._ids = itertools.count(1)
        self._install_legacy_state(tls)

    def _install_legacy_state(self, tls: dict[str, str]) -> None:
        """Install the 2016 state: the daemon runs without the cluster options, but the disk has them."""
        for path, text in {PACKAGED_UNIT_PATH: UNIT_TEXT, CONFFILE: OLD_CONFFILE_TEXT, **tls}.items():
            self.disk.write(path, text)
        self.disk.write(APT_SOURCE_PATH, "deb [trusted=yes] http://packages.invalid/ bookworm main\n")
        for path, text in daemon_option_files.option_files(self.lab_host, classic=False).items():
            self.disk.write(path, text)
        for name, image, arguments in (*APPLICATIONS, *self.lab_host.classic_containers):
            self.add_container(name, image, arguments)
        self.dockerd.start()
        self.dockerd.started_at = self.booted_at + 10
        for path, text in daemon_option_files.option_files(self.lab_host, classic=True).items():
            self.disk.write(path, text)

    def add_container(self, name: str, image: str, arguments: str) -> None:
        """Add a container as `docker run` would with these arguments."""
        words = arguments.split()
        restart = next((word.split("=")[1] for word in words if word.startswith("--restart=")), "no")
        ports = tuple(value for flag, value in itertools.pairwise(words) if flag == "-p")
        key = hashlib.sha256(f"{self.name} {next(self._ids)}".encode()).hexdigest()
        self.containers[name] = Container(key, name, image, restart, ports)

    @property
    def name(self) -> str:
        return self.lab_host.name

    @property
    def boot_id(self) -> str:
        """Return an ID that changes with each boot."""
        return str(uuid.uuid5(uuid.NAMESPACE_DNS, f"{self.name} {self.booted_at}"))

    @property
    def address(self) -> str:
        return self.lab_host.address

    @property
    def engine_version(self) -> str:
        """Return the running Engine's version, "" while it is down."""
        return self.dockerd.version

    @property
    def is_responding(self) -> bool:
        return self.is_up and bool(self.dockerd.version) and not self.silent.is_set()

    @property
    def swarm_conflict(self) -> str:
        return self.dockerd.swarm_conflict()

    @property
    def is_swarm_node(self) -> bool:
        return self.world.swarm.node_of(self) is not None

    @property
    def restart_seconds(self) -> float:
        return self.world.pace.restart

    def daemon_started(self) -> None:
        """Notify the swarm and open the Engine's TLS port."""
        self.world.swarm.daemon_started(self)
        self.on_tls_change(self.dockerd.tls)

    def daemon_stopped(self) -> None:
        """Close the Engine's TLS port."""
        self.on_tls_change(False)

    def log(self, unit: str, line: str) -> None:
        self.journal.setdefault(unit, []).append(line)

    def reboot(self, seconds: float) -> None:
        """Power off, and on again after that many seconds. An interrupted apt run stays incomplete."""
        self.power_off()
        threading.Thread(target=self._boot, args=(seconds,), name=f"boot {self.name}", daemon=True).start()

    def power_off(self) -> None:
        """Power off until `power_on`."""
        with self.lock:
            self.is_up = False
            self.units.power_off()
            self.dockerd.stop()
            self.on_power_change(False)

    def power_on(self) -> None:
        """Boot, unless the host was discarded meanwhile."""
        with self.lock:
            if self.discarded.is_set():
                return
            self.booted_at = time.time()
            self.is_up = True
            self.on_power_change(True)
            self.dockerd.start()

    def discard(self) -> None:
        """Shut the host down for good: a pending boot is cancelled."""
        with self.lock:
            self.discarded.set()
            self.units.power_off()

    def _boot(self, seconds: float) -> None:
        self.discarded.wait(seconds)
        self.power_on()
