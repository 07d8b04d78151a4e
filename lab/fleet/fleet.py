"""The fleet as a whole: up, down, reset, reboot, status."""

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
from lab.fleet import base_image, client_files, legacy, limits, machine, network
from lab.fleet.hosts import BY_NAME, FLEET, LabHost
from lab.fleet.shell import STATE_DIR, LabError, Say

Item = TypeVar("Item")
CLIENT_DIR = Path(".lab")


@dataclass(frozen=True)
class HostStatus:
    name: str
    address: str
    state: machine.MachineState


def hosts_by_name(names: Iterable[str]) -> tuple[LabHost, ...]:
    """Return hosts by name, all eight without names. Raises LabError for an unknown name."""
    unique_names = dict.fromkeys(names)
    unknown_names = [name for name in unique_names if name not in BY_NAME]
    if unknown_names:
        raise LabError(f"no such host: {', '.join(unknown_names)}; there are {', '.join(BY_NAME)}")
    return tuple(BY_NAME[name] for name in unique_names) or FLEET


def require_booted(names: Iterable[str]) -> tuple[LabHost, ...]:
    """Return hosts by name. Raises LabError for one that is not up."""
    hosts = hosts_by_name(names)
    absent = " ".join(host.name for host in hosts if not machine.can_boot(host.name))
    if absent:
        raise LabError(f"not up: {absent}; run: python -m lab fleet up {absent}")
    return hosts


def up(names: Iterable[str] = (), say: Say = print, folder: Path = CLIENT_DIR) -> tuple[LabHost, ...]:
    """Boot the hosts that are not running, in their 2016 state, and write client files for all running hosts."""
    hosts = hosts_by_name(names)
    with _lab_lock():
        _expect_possible(say)
        _recreate([host for host in hosts if machine.machine_state(host.name) != "running"], folder, say)
    return hosts


def begin(names: Iterable[str] = (), say: Say = print) -> tuple[LabHost, ...]:
    """Boot hosts if none is running. Raises LabError otherwise: that lab belongs to another command."""
    hosts = hosts_by_name(names)
    with _lab_lock():
        _expect_none_running()
        _expect_possible(say)
        if leftovers := machine.existing_names():
            _stop_and_remove(leftovers)
        try:
            _recreate(list(hosts), CLIENT_DIR, say)
        except BaseException:
            _stop_and_remove(machine.existing_names())
            raise
    return hosts


def down(say: Say = print) -> None:
    """Stop all hosts and remove everything the lab created, also after a kill. Raises LabError for what remains."""
    with _lab_lock():
        names = machine.existing_names()
        _stop_and_remove(names)
        _require_removed(names)
    say(f"down: {', '.join(names) or 'no hosts were up'}")


def reset(names: Iterable[str], say: Say = print) -> None:
    """Reset hosts to their 2016 state, whatever their current state."""
    hosts = hosts_by_name(names)
    with _lab_lock():
        _expect_possible(say)
        _recreate(list(hosts), CLIENT_DIR, say)


def reboot(names: Iterable[str], say: Say = print) -> None:
    """Power hosts off and on, with the same disk."""
    with _lab_lock():
        hosts = require_booted(names)
        for host in hosts:
            machine.kill_host(host.name)
            machine.boot_host(host)
        _run_parallel(lambda host: machine.wait_until_up(host.name), hosts)
    say(f"rebooted: {', '.join(host.name for host in hosts)}")


def status() -> tuple[HostStatus, ...]:
    names = [name for name in machine.existing_names() if name in BY_NAME]
    return tuple(HostStatus(name, BY_NAME[name].address, machine.machine_state(name)) for name in names)


def _expect_possible(say: Say) -> None:
    """Raise LabError if something prevents the lab, before anything is changed."""
    base_image.install_tools(say)
    network.expect_free()


def _recreate(hosts: list[LabHost], folder: Path, say: Say) -> None:
    """Create these hosts from scratch, and what all hosts need."""
    names = [host.name for host in hosts]
    with _stop_if_interrupted(names):
        base_folder = base_image.ensure_base(say)
        _remove(names)
        _require_removed(names)
        limits.raise_limit()
        network.create_network()
        network.serve_repository(base_folder / "repository")
        client_files.ensure_keys(hosts)
        _boot_hosts(hosts, base_folder, say)
        client_files.write_client_files(folder, _running_hosts())


@contextmanager
def _stop_if_interrupted(names: list[str]) -> Iterator[None]:
    """On Ctrl-C, SIGTERM, or SIGHUP, stop the hosts that are being created. Others keep running."""
    try:
        yield
    except (KeyboardInterrupt, SystemExit):
        _stop_and_remove(names)
        raise


def _stop_and_remove(names: list[str]) -> None:
    """Stop and remove hosts, and with the last of them the network and the leftovers of a build."""
    with signals.deferred():
        _remove(names)
        if not set(machine.existing_names()) - set(names):
            network.remove_network()
            limits.restore_limit()
        base_image.remove_unused_bases()


def _remove(names: list[str]) -> None:
    _run_parallel(machine.kill_host, names)
    _run_parallel(machine.remove_host, names)


def _expect_none_running() -> None:
    running = ", ".join(f"{host.name} ({host.address})" for host in status() if host.state == "running")
    if running:
        raise LabError(f"a lab is running: {running}. It was not changed. Stop it first: make fleet-down")


def _require_removed(names: list[str]) -> None:
    remaining = sorted(set(names) & set(machine.existing_names()))
    if remaining:
        raise LabError(f"could not be stopped: {', '.join(remaining)}")


def _running_hosts() -> tuple[LabHost, ...]:
    return tuple(BY_NAME[host.name] for host in status() if host.state == "running")


def _boot_hosts(hosts: list[LabHost], base_folder: Path, say: Say) -> None:
    for host in hosts:
        root = machine.mount_root(base_folder, host.name)
        legacy.write_files(root, legacy.files_before_boot(host), base_folder / "image.tar")
        machine.boot_host(host)
    if hosts:
        say(f"booting {', '.join(host.name for host in hosts)}")
    _run_parallel(lambda host: _prepare_host(host, say), hosts)


def _prepare_host(host: LabHost, say: Say) -> None:
    machine.wait_until_up(host.name)
    result = machine.run_on_host(host.name, "sh", "-s", stdin=legacy.setup_script(host))
    if result.returncode:
        raise LabError(f"{host.name} could not be set up: {result.stderr.strip()}")
    machine.ready_marker(host.name).touch()
    say(f"{host.name} is up at {host.address}")


def _run_parallel(work: Callable[[Item], None], items: Iterable[Item]) -> None:
    """Run for all hosts in parallel and wait for all, also if one fails.

    Do not wait if this process is being terminated: the caller stops the hosts.
    """
    pool = ThreadPoolExecutor(max_workers=16)
    try:
        list(pool.map(work, items))
    finally:
        pool.shutdown(wait=not isinstance(sys.exception(), KeyboardInterrupt | SystemExit), cancel_futures=True)


def _require_root() -> None:
    if platform.system() != "Linux" or os.geteuid() != 0:
        raise LabError("the fleet needs Linux and root: its hosts are booted with systemd-nspawn")


@contextmanager
def _lab_lock() -> Iterator[None]:
    """Hold the lock that allows one lab command at a time."""
    _require_root()
    STATE_DIR.mkdir(parents=True, exist_ok=True)
    with (STATE_DIR / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
