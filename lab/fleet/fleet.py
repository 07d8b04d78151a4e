"""The fleet as a whole: up, down, reset, reboot, status. Brings what is missing, leaves what is there."""

import fcntl
import os
import platform
import signal
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from lab.fleet import base, client, legacy, machine, network
from lab.fleet.hosts import BY_NAME, FLEET, LabHost
from lab.fleet.shell import STATE, LabError

Say = Callable[[str], None]
Item = TypeVar("Item")
CLIENT = Path(".lab")


@dataclass(frozen=True)
class HostStatus:
    name: str
    address: str
    running: bool


def named(names: Iterable[str]) -> tuple[LabHost, ...]:
    """The hosts of these names, all eight without any. Raises LabError for a name that the lab does not know."""
    strangers = [name for name in names if name not in BY_NAME]
    if strangers:
        raise LabError(f"no such host: {', '.join(strangers)}; there are {', '.join(BY_NAME)}")
    return tuple(BY_NAME[name] for name in names) or FLEET


def up(names: Iterable[str] = (), say: Say = print, folder: Path = CLIENT) -> tuple[LabHost, ...]:
    """Boots the hosts that do not run yet, in the state of 2016, and writes the client's side for all that run."""
    hosts = named(tuple(names))
    with _alone():
        built = base.ready(say)
        missing = [host for host in hosts if machine.leader(host.name) is None]
        for host in missing:
            machine.forget(host.name)
        network.up()
        network.serve(built / "repository")
        client.make_keys(hosts)
        _boot(missing, built, say)
        client.write(folder, _running())
    return hosts


def down(say: Say = print) -> None:
    """Ends all hosts and removes all that the lab made, also what a killed one left."""
    _needs_root()
    with _alone():
        names = machine.known()
        _parallel(machine.kill, names)
        _parallel(machine.forget, names)
        machine.forget_all()
        for pid in network.servers():
            os.kill(pid, signal.SIGTERM)
        network.down()
    say(f"down: {', '.join(names) or 'nothing was up'}")


def reset(names: Iterable[str], say: Say = print) -> None:
    """Puts hosts back into the state of 2016, whatever has become of them."""
    hosts = named(tuple(names))
    with _alone():
        for host in hosts:
            machine.kill(host.name)
            machine.forget(host.name)
        _boot(list(hosts), base.ready(say), say)
        client.write(CLIENT, _running())


def reboot(names: Iterable[str], say: Say = print) -> None:
    """Power off, power on, with the same disk."""
    hosts = named(tuple(names))
    with _alone():
        for host in hosts:
            machine.kill(host.name)
            machine.boot(host)
        _parallel(lambda host: machine.await_up(host.name), hosts)
    say(f"rebooted: {', '.join(host.name for host in hosts)}")


def status() -> tuple[HostStatus, ...]:
    names = [name for name in machine.known() if name in BY_NAME]
    return tuple(HostStatus(name, BY_NAME[name].address, machine.leader(name) is not None) for name in names)


def _running() -> tuple[LabHost, ...]:
    return tuple(BY_NAME[name] for name in machine.known() if machine.leader(name) is not None and name in BY_NAME)


def _boot(hosts: list[LabHost], built: Path, say: Say) -> None:
    for host in hosts:
        root = machine.mount(built, host.name)
        legacy.place(root, legacy.before_boot(host), built / "image.tar")
        machine.boot(host)
    if hosts:
        say(f"booting {', '.join(host.name for host in hosts)}")
    _parallel(lambda host: _settle(host, say), hosts)


def _settle(host: LabHost, say: Say) -> None:
    machine.await_up(host.name)
    done = machine.enter(host.name, "sh", "-s", stdin=legacy.script(host))
    if done.returncode:
        raise LabError(f"{host.name} could not be put into the state of 2016: {done.stderr.strip()}")
    say(f"{host.name} is up at {host.address}")


def _parallel(work: Callable[[Item], None], items: Iterable[Item]) -> None:
    with ThreadPoolExecutor(max_workers=16) as pool:
        list(pool.map(work, items))


def _needs_root() -> None:
    if platform.system() != "Linux" or os.geteuid() != 0:
        raise LabError("the fleet needs Linux and root: its hosts are booted with systemd-nspawn")


@contextmanager
def _alone() -> Iterator[None]:
    """One lab command at a time."""
    _needs_root()
    STATE.mkdir(parents=True, exist_ok=True)
    with (STATE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
