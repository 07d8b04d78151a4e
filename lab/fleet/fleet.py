"""The fleet as a whole: up, down, reset, reboot, status. Brings what is missing, leaves what is there."""

import fcntl
import os
import platform
import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from lab import signals
from lab.fleet import base, client, legacy, limits, machine, network
from lab.fleet.hosts import BY_NAME, FLEET, LabHost
from lab.fleet.shell import STATE, LabError, Say

Item = TypeVar("Item")
CLIENT = Path(".lab")


@dataclass(frozen=True)
class HostStatus:
    name: str
    address: str
    state: machine.State


def named(names: Iterable[str]) -> tuple[LabHost, ...]:
    """The hosts of these names, all eight without any. Raises LabError for a name that the lab does not know."""
    once = dict.fromkeys(names)
    strangers = [name for name in once if name not in BY_NAME]
    if strangers:
        raise LabError(f"no such host: {', '.join(strangers)}; there are {', '.join(BY_NAME)}")
    return tuple(BY_NAME[name] for name in once) or FLEET


def present(names: Iterable[str]) -> tuple[LabHost, ...]:
    """The hosts of these names. Raises LabError for one that was not brought up."""
    hosts = named(names)
    absent = " ".join(host.name for host in hosts if not machine.made(host.name))
    if absent:
        raise LabError(f"not up: {absent}; first: python -m lab fleet up {absent}")
    return hosts


def up(names: Iterable[str] = (), say: Say = print, folder: Path = CLIENT) -> tuple[LabHost, ...]:
    """Boots the hosts that do not run yet, in the state of 2016, and writes the client's side for all that run."""
    hosts = named(names)
    with _alone():
        _expect_possible(say)
        _make([host for host in hosts if machine.state(host.name) != "running"], folder, say)
    return hosts


def begin(names: Iterable[str] = (), say: Say = print) -> tuple[LabHost, ...]:
    """Boot hosts where none runs yet. Raise LabError where one does: that lab belongs to another command."""
    hosts = named(names)
    with _alone():
        _expect_none_running()
        _expect_possible(say)
        if left := machine.known():
            _end(left)
        try:
            _make(list(hosts), CLIENT, say)
        except BaseException:
            _end(machine.known())
            raise
    return hosts


def down(say: Say = print) -> None:
    """Ends all hosts and removes all that the lab made, also what a killed one left. Names what cannot be ended."""
    with _alone():
        names = machine.known()
        _end(names)
        _expect_gone(names)
    say(f"down: {', '.join(names) or 'nothing was up'}")


def reset(names: Iterable[str], say: Say = print) -> None:
    """Puts hosts into the state of 2016, whatever has become of them."""
    hosts = named(names)
    with _alone():
        _expect_possible(say)
        _make(list(hosts), CLIENT, say)


def reboot(names: Iterable[str], say: Say = print) -> None:
    """Power off, power on, with the same disk."""
    with _alone():
        hosts = present(names)
        for host in hosts:
            machine.kill(host.name)
            machine.boot(host)
        _parallel(lambda host: machine.await_up(host.name), hosts)
    say(f"rebooted: {', '.join(host.name for host in hosts)}")


def status() -> tuple[HostStatus, ...]:
    names = [name for name in machine.known() if name in BY_NAME]
    return tuple(HostStatus(name, BY_NAME[name].address, machine.state(name)) for name in names)


def _expect_possible(say: Say) -> None:
    """Raise LabError for what stands in the way, before anything of the lab is changed."""
    base.install_tools(say)
    network.expect_free()


def _make(hosts: list[LabHost], folder: Path, say: Say) -> None:
    """These hosts anew, and what all need."""
    names = [host.name for host in hosts]
    with _ended_if_interrupted(names):
        built = base.ready(say)
        _remove(names)
        _expect_gone(names)
        limits.raise_limit()
        network.up()
        network.serve(built / "repository")
        client.make_keys(hosts)
        _boot(hosts, built, say)
        client.write(folder, _running())


@contextmanager
def _ended_if_interrupted(names: list[str]) -> Iterator[None]:
    """On Ctrl-C, SIGTERM or SIGHUP, end the hosts that are being made. Those that ran before stay."""
    try:
        yield
    except (KeyboardInterrupt, SystemExit):
        _end(names)
        raise


def _end(names: list[str]) -> None:
    """End and remove hosts, and with the last of them the network and what a build has left."""
    with signals.deferred():
        _remove(names)
        if not set(machine.known()) - set(names):
            network.down()
            limits.restore_limit()
        base.clear()


def _remove(names: list[str]) -> None:
    _parallel(machine.kill, names)
    _parallel(machine.forget, names)


def _expect_none_running() -> None:
    running = ", ".join(f"{host.name} ({host.address})" for host in status() if host.state == "running")
    if running:
        raise LabError(f"a lab is running: {running}. It was left as it is. End it first: make fleet-down")


def _expect_gone(names: list[str]) -> None:
    stuck = sorted(set(names) & set(machine.known()))
    if stuck:
        raise LabError(f"could not be ended: {', '.join(stuck)}")


def _running() -> tuple[LabHost, ...]:
    return tuple(BY_NAME[host.name] for host in status() if host.state == "running")


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
    machine.settled(host.name).touch()
    say(f"{host.name} is up at {host.address}")


def _parallel(work: Callable[[Item], None], items: Iterable[Item]) -> None:
    """Wait for all, also when one failed; not when this process is to end: what it began is ended by whoever called."""
    pool = ThreadPoolExecutor(max_workers=16)
    try:
        list(pool.map(work, items))
    finally:
        pool.shutdown(wait=not isinstance(sys.exception(), KeyboardInterrupt | SystemExit), cancel_futures=True)


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
