"""A simulated host's daemon: whether it would start with the options on the disk, and what its start and end mean.

The options are read from the files by the product's own reader; what they do to a daemon is known here.
"""

import re
import time
from collections import Counter
from typing import TYPE_CHECKING

from jobs.daemon_options import Option, OptionFiles, UnitFacts, argv, effective, listens_tcp
from lab.simulated.dialect import engine_of, number

if TYPE_CHECKING:
    from lab.simulated.machine import Container, Machine

SERVICE, JSON = "/etc/systemd/system/docker.service", "/etc/docker/daemon.json"
PACKAGED, DROP_INS = "/lib/systemd/system/docker.service", "/etc/systemd/system/docker.service.d/"
CLUSTER = ("cluster-store", "cluster-advertise", "cluster-store-opt", "cluster-store-opts")
BROKEN = "failed to start daemon: exec format error"
ALIASES = {"H": "hosts", "host": "hosts", "label": "labels"}


class Dockerd:
    """`version`: the running Engine's, "" while it is down; `failing`: a fault, so many starts come to nothing."""

    def __init__(self, machine: "Machine") -> None:
        self._machine = machine
        self.version = ""
        self.tls = False
        self.pid = 0
        self.started = 0.0
        self.command_line: tuple[str, ...] = ()
        self.live_restore = False
        self.cluster = False
        self.failing = 0

    def installed(self) -> str:
        return engine_of(self._machine.packages["docker.io"].version)

    def unit(self) -> UnitFacts:
        texts = self._machine.disk.texts
        fragment = SERVICE if SERVICE in texts else PACKAGED
        drop_ins = tuple(sorted(path for path in texts if path.startswith(DROP_INS) and path.endswith(".conf")))
        read = [re.findall(r"^EnvironmentFile=(.*)$", texts[path], re.MULTILINE) for path in (fragment, *drop_ins)]
        return UnitFacts(fragment, drop_ins, tuple(file for files in read for file in files))

    def options(self) -> OptionFiles:
        return OptionFiles(self.unit(), self._machine.disk.texts)

    def refusal(self) -> str:
        """Why the installed daemon would not start with what is on the disk; "" when it would."""
        found = effective(self.options())
        version = self.installed()
        if self._machine.packages["docker.io"].state == "iU":
            return BROKEN
        return _unknown(found, version) or _twice(found) or _labels(found, version) or self._incompatible(found)

    def start(self) -> bool:
        """Whether it runs then. What stands in its way is in the journal."""
        machine = self._machine
        why = self.refusal() or (BROKEN if self.failing else "")
        self.failing = max(0, self.failing - 1)
        if why:
            machine.log("docker.service", why)
            return False
        files = self.options()
        self.version = self.installed()
        self.command_line = ("/usr/sbin/dockerd", *argv(files))
        self.pid, self.started = self.pid + 1000, time.time()
        names = {option.name: option.value for option in effective(files)}
        self.live_restore = names.get("live-restore", "false").lower() != "false" or names.get("live-restore") == ""
        self.cluster = "cluster-store" in names
        self.tls = listens_tcp(files) and "tlsverify" in names
        machine.log("docker.service", f"Daemon has completed initialization, version {self.version}")
        for container in machine.containers.values():
            container.running = self.runs(container) and (container.running or container.restart == "always")
        machine.world.swarm.came_back(machine)
        machine.listening(self.tls)
        return True

    def stop(self) -> None:
        """Containers without a policy stop for good; the others come back when it starts."""
        machine = self._machine
        if self.version and not self.live_restore:
            for container in machine.containers.values():
                container.running = container.running and container.restart != "no"
        self.version, self.tls, self.command_line = "", False, ()
        machine.listening(False)

    def runs(self, container: "Container") -> bool:
        """docker-machine's MountFlags=slave hides the daemon's mounts from newer Engines' containerd."""
        hidden = "MountFlags=slave" in self._machine.disk.texts[self.unit().fragment_path]
        return container.starts and not (hidden and number(self.version) >= (26, 0))

    def restart(self) -> bool:
        with self._machine.lock:
            self.stop()
        time.sleep(self._machine.world.pace.restart)
        with self._machine.lock:
            return self._machine.up and self.start()

    def _incompatible(self, found: tuple[Option, ...]) -> str:
        if self._machine.world.swarm.node_of(self._machine) is None:
            return ""
        if any(option.name in CLUSTER for option in found):
            return "--cluster-store and --cluster-advertise daemon configurations are incompatible with swarm mode"
        if any(option.name == "live-restore" and option.value.lower() != "false" for option in found):
            return "--live-restore daemon configuration is incompatible with swarm mode"
        return ""


def _unknown(found: tuple[Option, ...], version: str) -> str:
    """Debian's 20.10 has no cluster flags any more, and --graph went with 23.0."""
    gone = (*CLUSTER, *(("graph", "g") if number(version) >= (23, 0) else ()))
    for option in found if number(version) >= (20, 10) else ():
        if option.name in gone and option.path == JSON:
            return (
                "unable to configure the Docker daemon with file /etc/docker/daemon.json: "
                f"the following directives don't match any configuration option: {option.name}"
            )
        if option.name in gone:
            return f"unknown flag: --{option.name}"
    return ""


def _twice(found: tuple[Option, ...]) -> str:
    flags = {ALIASES.get(option.name, option.name) for option in found if option.path != JSON}
    both = sorted(flags & {option.name for option in found if option.path == JSON})
    if not both:
        return ""
    return f"the following directives are specified both as a flag and in the configuration file: {', '.join(both)}"


def _labels(found: tuple[Option, ...], version: str) -> str:
    labels = {option.value for option in found if ALIASES.get(option.name, option.name) == "labels"}
    counted = Counter(label.split("=", 1)[0] for label in labels)
    clash = [name for name, times in counted.items() if times > 1]
    return f"conflict labels for {clash[0]}" if clash and number(version) >= (17, 12) else ""
