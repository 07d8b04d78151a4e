"""The hosts of a demo, real or simulated, and what happens to them outside Imker: deploys, and power failures."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from lab.fleet import fleet, machine
from lab.fleet.hosts import LabHost
from lab.fleet.shell import LabError
from lab.simulated import fleet as simulated
from lab.simulated.fleet import Fleet
from lab.simulated.services.services import Services

DEPLOY_TIMEOUT = 120  # seconds until an update with an image that does not exist has paused


class DemoHosts(Protocol):
    """Running hosts. `hosts`: what they are; `client`: the folder with the client files."""

    @property
    def hosts(self) -> tuple[LabHost, ...]: ...
    @property
    def client(self) -> Path: ...

    def add_image(self, image: str) -> None:
        """Build an image on every host, whose containers run until they are stopped."""

    def deploy_missing_image(self, service: str, image: str) -> None:
        """Give a service an image that no host has, as another user would, and wait until the update has paused."""

    def power_off(self, name: str) -> None: ...
    def power_on(self, name: str) -> None: ...


@dataclass(frozen=True)
class RealHosts:
    """Hosts that lab.fleet has booted."""

    hosts: tuple[LabHost, ...]
    client: Path = fleet.CLIENT_DIR

    def add_image(self, image: str) -> None:
        for host in self.hosts:
            _run_on(host.name, "docker", "commit", "--change", 'CMD ["/idle"]', "web", image)

    def deploy_missing_image(self, service: str, image: str) -> None:
        manager = self.hosts[0].name
        update = ("docker", "service", "update", "--detach", "--no-resolve-image", "--image", image, service)
        _run_on(manager, *update)
        inspect = ("docker", "service", "inspect", "--format", "{{.UpdateStatus.State}}", service)
        _wait_until_paused(lambda: _run_on(manager, *inspect).strip())

    def power_off(self, name: str) -> None:
        machine.kill_host(name)

    def power_on(self, name: str) -> None:
        fleet.reboot([name], say=lambda _: None)


@dataclass(frozen=True)
class SimulatedHosts:
    """Simulated hosts of this process."""

    fleet: Fleet

    @property
    def hosts(self) -> tuple[LabHost, ...]:
        return self.fleet.hosts

    @property
    def client(self) -> Path:
        return self.fleet.folder

    def add_image(self, image: str) -> None:
        for host in self.hosts:
            self.fleet[host.name].images.add(image)

    def deploy_missing_image(self, service: str, image: str) -> None:
        with self._services() as services:
            document = services.show_service(service)
            document["Spec"]["TaskTemplate"]["ContainerSpec"]["Image"] = image
            services.update(service, document["Version"]["Index"], document["Spec"], "")
        _wait_until_paused(lambda: self._update_state(service))

    def power_off(self, name: str) -> None:
        self.fleet[name].power_off()

    def power_on(self, name: str) -> None:
        self.fleet[name].power_on()

    @contextmanager
    def _services(self) -> Iterator[Services]:
        with self.fleet.world.swarm.services_of(self.fleet[self.hosts[0].name]) as services:
            yield services

    def _update_state(self, service: str) -> str:
        with self._services() as services:
            return str((services.show_service(service).get("UpdateStatus") or {}).get("State"))


@contextmanager
def run_real_hosts(names: tuple[str, ...]) -> Iterator[DemoHosts]:
    hosts = fleet.begin(names)
    try:
        yield RealHosts(hosts)
    finally:
        fleet.down()


@contextmanager
def run_simulated_hosts(names: tuple[str, ...]) -> Iterator[DemoHosts]:
    client = fleet.CLIENT_DIR / "simulated"
    with simulated.run_fleet(simulated.select_hosts(names), client) as simulated_fleet:
        yield SimulatedHosts(simulated_fleet)


def _run_on(host: str, *argv: str) -> str:
    """Run a command on a real host as root and return its output."""
    result = machine.run_on_host(host, *argv)
    if result.returncode:
        raise LabError(f"{host}: {' '.join(argv)}: {result.stderr.strip()}")
    return result.stdout


def _wait_until_paused(read_state: Callable[[], str]) -> None:
    deadline = time.monotonic() + DEPLOY_TIMEOUT
    while (state := read_state()) != "paused":
        if time.monotonic() > deadline:
            raise LabError(f"the update should have paused by now, but is {state}")
        time.sleep(0.2)
