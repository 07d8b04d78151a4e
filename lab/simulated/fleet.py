"""Simulated hosts as a whole: up on loopback, each at its own address, with the client's side in a folder; faults.

In: hosts and a folder. Out: a Fleet that runs in this process until it is closed.
"""

import signal
import socket
import ssl
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

from lab.fleet import client
from lab.fleet.hosts import BY_NAME, FLEET, LabHost
from lab.fleet.options import TLS
from lab.fleet.shell import LabError
from lab.simulated import api, ssh
from lab.simulated.dialect import Age, Pace
from lab.simulated.door import Door
from lab.simulated.machine import Machine
from lab.simulated.world import World

SSH, ENGINE = 2222, 2376
NETWORKS = range(18, 250)  # 127.X.0.0/16, the first that no other simulated fleet of this machine has


def named(names: Iterable[str], number: int = 0) -> tuple[LabHost, ...]:
    """The lab's hosts of these names; or so many of them, the write-up's first, then as many more as it takes."""
    wanted = tuple(names)
    strangers = [name for name in wanted if name not in BY_NAME]
    if strangers:
        raise LabError(f"no such host: {', '.join(strangers)}; there are {', '.join(BY_NAME)}")
    if wanted:
        return tuple(BY_NAME[name] for name in wanted)
    more = (LabHost(f"extra{n}", 100 + n, "defaults", "member", f"server-{n % 3 + 1}") for n in range(1, number))
    return (FLEET + tuple(more))[: number or len(FLEET)]


class Fleet:
    """`folder` gets what a user of Imker would have: imker.toml, docker-machine/, known_hosts, ssh/."""

    def __init__(
        self,
        hosts: Iterable[LabHost],
        folder: Path,
        network: int,
        pace: Pace | None = None,
        ages: Sequence[Age] = ("2016",),
    ) -> None:
        self.hosts = tuple(_at(host, network) for host in hosts)
        self.folder = folder
        self._keys = folder / "keys" / str(network)  # certificates name addresses
        self._pace, self._ages = pace, ages
        client.check(folder)
        client.make_keys(self.hosts, self._keys)
        client.write(folder, self.hosts, self._keys)
        self._doors: dict[str, tuple[Door, Door]] = {}
        self._contexts = {host.name: self._context(host) for host in self.hosts}
        self.world = self._begin()

    def __getitem__(self, name: str) -> Machine:
        return self.world.machines[name]

    def reset(self, ages: Sequence[Age] = ()) -> None:
        """All hosts anew, in the state of 2016, at the same addresses; docker-machine's store as well."""
        self.close()
        self._ages = ages or self._ages
        client.write(self.folder, self.hosts, self._keys)
        self.world = self._begin()

    def close(self) -> None:
        for machine in self.world.machines.values():
            machine.silent.clear()
            machine.scrap()
        for doors in self._doors.values():
            for door in doors:
                door.shut()
                door.cut()

    # --- faults on demand ---

    def cut(self, name: str) -> None:
        """Resets every SSH connection to a host; what it was doing there goes on."""
        self.world.history.note(name, "fault", "SSH cut")
        self._doors[name][0].cut()

    def connected(self) -> list[str]:
        """Names of the hosts that somebody is connected to by SSH."""
        return [name for name, (shell, _) in self._doors.items() if shell.callers()]

    def black_hole(self, name: str, silent: bool = True) -> None:
        """The host accepts connections and says nothing, over SSH and over TLS, until it is told otherwise."""
        self.world.history.note(name, "fault", "black hole" if silent else "speaks again")
        self[name].silent.set() if silent else self[name].silent.clear()

    def reboot(self, name: str, seconds: float | None = None) -> None:
        """`seconds`: how long it is away, if not as long as it takes to boot."""
        self.world.history.note(name, "fault", "reboot")
        self[name].reboot(self.world.pace.boot if seconds is None else seconds)

    # --- ---

    def _begin(self) -> World:
        world = World(self.hosts, {host.name: self._files(host) for host in self.hosts}, self._pace, self._ages)
        for machine in world.machines.values():
            self._connect(machine)
        return world

    def _connect(self, machine: Machine) -> None:
        about, keys = machine.about, self._keys
        host_key, user_key = client.host_key(about, keys), keys / "ssh/id_ed25519"
        shell = Door(about.address, SSH, partial(ssh.serve, machine, host_key, user_key))
        engine = Door(about.address, ENGINE, partial(api.serve, machine, self._contexts[about.name]))
        self._doors[about.name] = (shell, engine)
        machine.listening = lambda listens: engine.open() if listens else _gone(engine)
        machine.power = lambda on: shell.open() if on else _gone(shell)
        shell.open()
        machine.listening(machine.dockerd.tls)

    def _files(self, host: LabHost) -> dict[str, str]:
        sources = {"tlscacert": "ca.pem", "tlscert": f"{host.name}/server.pem", "tlskey": f"{host.name}/server-key.pem"}
        return {TLS[option]: (self._keys / source).read_text() for option, source in sources.items()}

    def _context(self, host: LabHost) -> ssl.SSLContext:
        own = self._keys / host.name
        return api.context(str(own / "server.pem"), str(own / "server-key.pem"), str(self._keys / "ca.pem"))


@contextmanager
def running(hosts: Iterable[LabHost], folder: Path, pace: Pace | None = None, *ages: Age) -> Iterator[Fleet]:
    """Hosts on a network of their own, for as long as somebody needs them."""
    with ExitStack() as stack:
        network = stack.enter_context(_network())
        fleet = Fleet(hosts, folder, network, pace, ages or ("2016",))
        stack.callback(fleet.close)
        yield fleet


def stay(names: tuple[str, ...], number: int, folder: Path, say: Callable[[str], None]) -> None:
    """Hosts until SIGTERM or Ctrl-C. What no host understood is told at the end."""
    over = threading.Event()
    for signum in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signum, lambda *_: over.set())
    with running(named(names, number), folder) as fleet:
        for host in fleet.hosts:
            say(f"{host.name:<12} {host.address:<15} simulated")
        say(f"the client's side is in {folder}/: imker.toml, docker-machine/, known_hosts, ssh/")
        over.wait()
        for line in fleet.world.history.unknown:
            say(f"not understood: {line}")


@contextmanager
def _network() -> Iterator[int]:
    """A free 127.X.0.0/16; a socket at its first address keeps others away."""
    for network in NETWORKS:
        try:
            claim = socket.create_server((f"127.{network}.0.1", ENGINE))
        except OSError:
            continue
        with claim:
            yield network
        return
    raise LabError("no loopback address besides 127.0.0.1 can be had here: simulated hosts need Linux's 127.0.0.0/8")


def _gone(door: Door) -> None:
    door.shut()
    door.cut()


def _at(host: LabHost, network: int) -> LabHost:
    """On loopback, keeping its number; those past 250 go on in the next third byte."""
    third, last = divmod(host.number, 250)
    store = f"127.{network}.0.64"
    return replace(host, network=f"127.{network}.{third}", number=last, ssh_port=SSH, store=store)
