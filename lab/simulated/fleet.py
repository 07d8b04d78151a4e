"""A fleet of simulated hosts on loopback, each at its own address, with client files in a folder, and faults on demand.

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

from lab.fleet import client_files
from lab.fleet.daemon_option_files import TLS_PATHS
from lab.fleet.hosts import BY_NAME, FLEET, LabHost
from lab.fleet.shell import LabError
from lab.simulated import engine_api, ssh_server
from lab.simulated.engine_versions import EngineAge, Pace
from lab.simulated.listening_socket import ListeningSocket
from lab.simulated.machine import Machine
from lab.simulated.world import World

SSH_PORT, ENGINE_PORT = 2222, 2376
NETWORK_RANGE = range(18, 250)  # X of 127.X.0.0/16; the first free one is used


def select_hosts(names: Iterable[str], number: int = 0) -> tuple[LabHost, ...]:
    """Return hosts by name, or the first `number` of the lab's hosts, with generated ones if that is not enough."""
    host_names = tuple(names)
    unknown_names = [name for name in host_names if name not in BY_NAME]
    if unknown_names:
        raise LabError(f"no such host: {', '.join(unknown_names)}; there are {', '.join(BY_NAME)}")
    if host_names:
        return tuple(BY_NAME[name] for name in host_names)
    extra_hosts = (LabHost(f"extra{n}", 100 + n, "defaults", "member", f"server-{n % 3 + 1}") for n in range(1, number))
    return (FLEET + tuple(extra_hosts))[: number or len(FLEET)]


class Fleet:
    """Running simulated hosts. `folder` gets the client files: imker.toml, docker-machine/, known_hosts, ssh/."""

    def __init__(
        self,
        hosts: Iterable[LabHost],
        folder: Path,
        network: int,
        pace: Pace | None = None,
        ages: Sequence[EngineAge] = ("2016",),
    ) -> None:
        self.hosts = tuple(_on_loopback(host, network) for host in hosts)
        self.folder = folder
        self._keys = folder / "keys" / str(network)  # certificates contain addresses
        self._pace, self._ages = pace, ages
        client_files.check(folder)
        client_files.ensure_keys(self.hosts, self._keys)
        client_files.write_client_files(folder, self.hosts, self._keys)
        self._sockets: dict[str, tuple[ListeningSocket, ListeningSocket]] = {}
        self._tls_contexts = {host.name: self._create_tls_context(host) for host in self.hosts}
        self.world = self._create_world()

    def __getitem__(self, name: str) -> Machine:
        return self.world.machines[name]

    def reset(self, ages: Sequence[EngineAge] = ()) -> None:
        """Reset all hosts and docker-machine's store to their 2016 state, at the same addresses."""
        self.close()
        self._ages = ages or self._ages
        client_files.write_client_files(self.folder, self.hosts, self._keys)
        self.world = self._create_world()

    def close(self) -> None:
        for machine in self.world.machines.values():
            machine.silent.clear()
            machine.discard()
        for sockets in self._sockets.values():
            for listener in sockets:
                listener.close()
                listener.reset_connections()

    # --- faults on demand ---

    def reset_ssh(self, name: str) -> None:
        """Reset every SSH connection to a host. Commands that run there continue."""
        self.world.history.record_event(name, "fault", "SSH reset")
        self._sockets[name][0].reset_connections()

    def connected_hosts(self) -> list[str]:
        """Return the names of hosts with an open SSH connection."""
        return [name for name, (shell, _) in self._sockets.items() if shell.connection_count()]

    def set_silent(self, name: str, silent: bool = True) -> None:
        """Make a host accept connections but not respond, over SSH and TLS, or end that."""
        self.world.history.record_event(name, "fault", "silent" if silent else "responding again")
        self[name].silent.set() if silent else self[name].silent.clear()

    def reboot(self, name: str, seconds: float | None = None) -> None:
        """Reboot a host. `seconds` is how long it is down, by default as long as a boot takes."""
        self.world.history.record_event(name, "fault", "reboot")
        self[name].reboot(self.world.pace.boot if seconds is None else seconds)

    # --- startup ---

    def _create_world(self) -> World:
        world = World(self.hosts, {host.name: self._tls_files(host) for host in self.hosts}, self._pace, self._ages)
        for machine in world.machines.values():
            self._open_sockets(machine)
        return world

    def _open_sockets(self, machine: Machine) -> None:
        lab_host, keys = machine.lab_host, self._keys
        host_key, user_key = client_files.host_key_path(lab_host, keys), keys / "ssh/id_ed25519"
        shell = ListeningSocket(
            lab_host.address,
            SSH_PORT,
            partial(ssh_server.serve_connection, machine, host_key, user_key, engine_api.serve_channel),
        )
        engine = ListeningSocket(
            lab_host.address,
            ENGINE_PORT,
            partial(engine_api.serve_connection, machine, self._tls_contexts[lab_host.name]),
        )
        self._sockets[lab_host.name] = (shell, engine)
        machine.on_tls_change = lambda listens: engine.open() if listens else _close_socket(engine)
        machine.on_power_change = lambda on: shell.open() if on else _close_socket(shell)
        shell.open()
        machine.on_tls_change(machine.dockerd.tls)

    def _tls_files(self, host: LabHost) -> dict[str, str]:
        sources = {"tlscacert": "ca.pem", "tlscert": f"{host.name}/server.pem", "tlskey": f"{host.name}/server-key.pem"}
        return {TLS_PATHS[option]: (self._keys / source).read_text() for option, source in sources.items()}

    def _create_tls_context(self, host: LabHost) -> ssl.SSLContext:
        host_keys = self._keys / host.name
        return engine_api.tls_context(
            str(host_keys / "server.pem"), str(host_keys / "server-key.pem"), str(self._keys / "ca.pem")
        )


@contextmanager
def run_fleet(hosts: Iterable[LabHost], folder: Path, pace: Pace | None = None, *ages: EngineAge) -> Iterator[Fleet]:
    """Run hosts on a loopback network of their own until the block ends."""
    with ExitStack() as stack:
        network = stack.enter_context(_reserve_network())
        fleet = Fleet(hosts, folder, network, pace, ages or ("2016",))
        stack.callback(fleet.close)
        yield fleet


def run_until_signal(names: tuple[str, ...], number: int, folder: Path, say: Callable[[str], None]) -> None:
    """Run hosts until SIGTERM or Ctrl-C, then list the requests that no host understood."""
    stop_requested = threading.Event()
    for signum in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signum, lambda *_: stop_requested.set())
    with run_fleet(select_hosts(names, number), folder) as fleet:
        for host in fleet.hosts:
            say(f"{host.name:<12} {host.address:<15} simulated")
        say(f"Client files are in {folder}/: imker.toml, docker-machine/, known_hosts, ssh/")
        stop_requested.wait()
        for line in fleet.world.history.unknown_requests:
            say(f"unknown request: {line}")


@contextmanager
def _reserve_network() -> Iterator[int]:
    """Reserve a free 127.X.0.0/16 with a socket at its first address."""
    for network in NETWORK_RANGE:
        try:
            claim = socket.create_server((f"127.{network}.0.1", ENGINE_PORT))
        except OSError:
            continue
        with claim:
            yield network
        return
    raise LabError("no loopback address other than 127.0.0.1 is available: simulated hosts need Linux's 127.0.0.0/8")


def _close_socket(listener: ListeningSocket) -> None:
    listener.close()
    listener.reset_connections()


def _on_loopback(host: LabHost, network: int) -> LabHost:
    """Return the host with a loopback address. Numbers from 250 continue in the next third byte."""
    third, last = divmod(host.number, 250)
    store = f"127.{network}.0.64"
    return replace(host, network=f"127.{network}.{third}", number=last, ssh_port=SSH_PORT, store_address=store)
