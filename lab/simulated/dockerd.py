"""Simulate a host's daemon: whether it starts with the options on the disk, and the effects of its start and stop.

The product's own reader parses the options from files. What they do to a daemon is simulated here.
"""

import re
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any, Protocol

from jobs.daemon_options import Option, OptionFiles, UnitFacts, argv, effective, listens_tcp
from lab.simulated.engine_versions import engine_version, major_minor
from lab.simulated.parts import Container, Disk, Package

SERVICE_PATH, DAEMON_JSON_PATH = "/etc/systemd/system/docker.service", "/etc/docker/daemon.json"
PACKAGED_UNIT_PATH, DROP_IN_DIR = "/lib/systemd/system/docker.service", "/etc/systemd/system/docker.service.d/"
CLUSTER_OPTIONS = ("cluster-store", "cluster-advertise", "cluster-store-opt", "cluster-store-opts")
CLUSTER_CONFLICT = "--cluster-store and --cluster-advertise daemon configurations are incompatible with swarm mode"
LIVE_RESTORE_CONFLICT = "--live-restore daemon configuration is incompatible with swarm mode"
BROKEN_BINARY = "failed to start daemon: exec format error"
OPTION_ALIASES = {"H": "hosts", "host": "hosts", "label": "labels"}


class DaemonHost(Protocol):
    """The host as its daemon sees it."""

    @property
    def lock(self) -> AbstractContextManager[Any]: ...
    @property
    def is_up(self) -> bool: ...
    @property
    def disk(self) -> Disk: ...
    @property
    def packages(self) -> Mapping[str, Package]: ...
    @property
    def containers(self) -> Mapping[str, Container]: ...
    @property
    def is_swarm_node(self) -> bool: ...
    @property
    def restart_seconds(self) -> float: ...
    def log(self, unit: str, line: str) -> None: ...
    def daemon_started(self) -> None: ...
    def daemon_stopped(self) -> None: ...


class Dockerd:
    """The Docker daemon of a host.

    `version` is the running Engine's, "" while it is down. `failures_left` is a fault: that many starts fail.
    """

    def __init__(self, host: DaemonHost) -> None:
        self._host = host
        self.version = ""
        self.tls = False
        self.pid = 0
        self.started_at = 0.0
        self.command_line: tuple[str, ...] = ()
        self.live_restore = False
        self.has_cluster_options = False
        self.failures_left = 0

    def installed_version(self) -> str:
        return engine_version(self._host.packages["docker.io"].version)

    def unit_facts(self) -> UnitFacts:
        texts = self._host.disk.texts
        fragment = SERVICE_PATH if SERVICE_PATH in texts else PACKAGED_UNIT_PATH
        drop_ins = tuple(sorted(path for path in texts if path.startswith(DROP_IN_DIR) and path.endswith(".conf")))
        environment_files = [
            re.findall(r"^EnvironmentFile=(.*)$", texts[path], re.MULTILINE) for path in (fragment, *drop_ins)
        ]
        return UnitFacts(fragment, drop_ins, tuple(file for files in environment_files for file in files))

    def option_files(self) -> OptionFiles:
        return OptionFiles(self.unit_facts(), self._host.disk.texts)

    def refusal(self) -> str:
        """Return why the installed daemon would not start with the options on the disk, "" if it would."""
        options = effective(self.option_files())
        version = self.installed_version()
        if self._host.packages["docker.io"].state == "iU":
            return BROKEN_BINARY
        return (
            _unknown_option(options, version)
            or _duplicate_option(options)
            or _conflicting_label(options, version)
            or self._swarm_incompatibility(options)
        )

    def start(self) -> bool:
        """Start the daemon and return whether it runs. On failure, log the reason to the journal."""
        host = self._host
        problem = self.refusal() or (BROKEN_BINARY if self.failures_left else "")
        self.failures_left = max(0, self.failures_left - 1)
        if problem:
            host.log("docker.service", problem)
            return False
        files = self.option_files()
        self.version = self.installed_version()
        self.command_line = ("/usr/sbin/dockerd", *argv(files))
        self.pid, self.started_at = self.pid + 1000, time.time()
        names = {option.name: option.value for option in effective(files)}
        self.live_restore = names.get("live-restore", "false").lower() != "false" or names.get("live-restore") == ""
        self.has_cluster_options = "cluster-store" in names
        self.tls = listens_tcp(files) and "tlsverify" in names
        host.log("docker.service", f"Daemon has completed initialization, version {self.version}")
        for container in host.containers.values():
            container.running = self.can_run(container) and (container.running or container.restart == "always")
        host.daemon_started()
        return True

    def stop(self) -> None:
        """Stop the daemon. Containers without a restart policy stay stopped; the others start again with it."""
        host = self._host
        if self.version and not self.live_restore:
            for container in host.containers.values():
                container.running = container.running and container.restart != "no"
        self.version, self.tls, self.command_line = "", False, ()
        host.daemon_stopped()

    def swarm_conflict(self) -> str:
        """Return why the running daemon's options rule out swarm mode, "" if they do not."""
        if self.has_cluster_options:
            return CLUSTER_CONFLICT
        return LIVE_RESTORE_CONFLICT if self.live_restore else ""

    def can_run(self, container: Container) -> bool:
        """Return whether a container can run.

        docker-machine's MountFlags=slave hides the daemon's mounts from the containerd of newer Engines.
        """
        hidden = "MountFlags=slave" in self._host.disk.texts[self.unit_facts().fragment_path]
        return container.can_start and not (hidden and major_minor(self.version) >= (26, 0))

    def restart(self) -> bool:
        with self._host.lock:
            self.stop()
        time.sleep(self._host.restart_seconds)
        with self._host.lock:
            return self._host.is_up and self.start()

    def _swarm_incompatibility(self, options: tuple[Option, ...]) -> str:
        if not self._host.is_swarm_node:
            return ""
        if any(option.name in CLUSTER_OPTIONS for option in options):
            return CLUSTER_CONFLICT
        if any(option.name == "live-restore" and option.value.lower() != "false" for option in options):
            return LIVE_RESTORE_CONFLICT
        return ""


def _unknown_option(options: tuple[Option, ...], version: str) -> str:
    """Return an error for a removed option: Debian's 20.10 has no cluster options; 23.0 removed --graph."""
    removed = (*CLUSTER_OPTIONS, *(("graph", "g") if major_minor(version) >= (23, 0) else ()))
    for option in options if major_minor(version) >= (20, 10) else ():
        if option.name in removed and option.path == DAEMON_JSON_PATH:
            return (
                "unable to configure the Docker daemon with file /etc/docker/daemon.json: "
                f"the following directives don't match any configuration option: {option.name}"
            )
        if option.name in removed:
            return f"unknown flag: --{option.name}"
    return ""


def _duplicate_option(options: tuple[Option, ...]) -> str:
    flags = {OPTION_ALIASES.get(option.name, option.name) for option in options if option.path != DAEMON_JSON_PATH}
    both = sorted(flags & {option.name for option in options if option.path == DAEMON_JSON_PATH})
    if not both:
        return ""
    return f"the following directives are specified both as a flag and in the configuration file: {', '.join(both)}"


def _conflicting_label(options: tuple[Option, ...], version: str) -> str:
    labels = {option.value for option in options if OPTION_ALIASES.get(option.name, option.name) == "labels"}
    counts = Counter(label.split("=", 1)[0] for label in labels)
    clash = [name for name, times in counts.items() if times > 1]
    return f"conflict labels for {clash[0]}" if clash and major_minor(version) >= (17, 12) else ""
