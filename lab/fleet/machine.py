"""One host on this machine: its disk, its boot under systemd-nspawn, its end.

Its cgroup and its root folder identify it, so that leftovers of a killed lab can be removed.
"""

import contextlib
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Literal

from lab.fleet import cgroups
from lab.fleet.hosts import BRIDGE, LabHost
from lab.fleet.shell import STATE_DIR, LabError, launch_detached, remove_tree, sh

BOOT_TIMEOUT = 120  # seconds that a boot may take; eight boots at once beside other work take more than 30
MachineState = Literal["running", "half-made", "off"]


def disk_dir(name: str) -> Path:
    return STATE_DIR / "hosts" / name


def ready_marker(name: str) -> Path:
    """Return the file that exists once the host is set up. Without it, the lab was killed meanwhile."""
    return disk_dir(name) / "settled"


def machine_state(name: str) -> MachineState:
    if init_pid(name) is None:
        return "off"
    return "running" if ready_marker(name).exists() else "half-made"


def can_boot(name: str) -> bool:
    """Return whether the host has a disk to boot from again."""
    return ready_marker(name).exists() and os.path.ismount(disk_dir(name) / "root")


def mount_root(base: Path, name: str) -> Path:
    """Mount the host's own layer over the base and return the mount point."""
    home = disk_dir(name)
    for part in ("upper", "work", "root", "docker", "containerd"):
        (home / part).mkdir(parents=True, exist_ok=True)
    root = home / "root"
    if not os.path.ismount(root):
        layers = f"lowerdir={base / 'root'},upperdir={home / 'upper'},workdir={home / 'work'}"
        sh("mount", "-t", "overlay", "overlay", "-o", layers, root)
    return root


def boot_host(host: LabHost) -> None:
    """Start systemd in the host's root, in its own session and cgroup."""
    home = disk_dir(host.name)
    nspawn = [
        *("systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "-M", host.name, "-D", str(home / "root")),
        *(f"--network-bridge={BRIDGE}", "--boot", "--capability=all", "--system-call-filter=@keyring bpf"),
        *("--resolv-conf=off", "--timezone=off", "--link-journal=no"),
        f"--bind={home / 'docker'}:/var/lib/docker",
        f"--bind={home / 'containerd'}:/var/lib/containerd",
    ]
    launch_detached(*nspawn, output=home / "console", group=host.name)


def init_pid(name: str) -> int | None:
    """Return the PID of the host's systemd on this machine, None if it does not run."""
    root = str(disk_dir(name) / "root")
    for process in Path("/proc").iterdir():
        if not process.name.isdigit():
            continue
        try:
            words = (process / "cmdline").read_bytes().split(b"\0")
            if b"systemd-nspawn" in words[0] and root.encode() in words:
                children = (process / f"task/{process.name}/children").read_text().split()
                return int(children[-1]) if children else None
        except (OSError, IndexError):
            continue  # it exited meanwhile
    return None


def run_on_host(name: str, *argv: str, stdin: str = "", timeout: float = 120) -> "subprocess.CompletedProcess[str]":
    """Run a command as root on the host, without SSH. Raises LabError if the host is down or on a timeout."""
    pid = init_pid(name)
    if pid is None:
        raise LabError(f"{name} is not running")
    nsenter = ["nsenter", "-t", str(pid), "-a", "--", *argv]
    environment = {
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": "/root",
        "LANG": "C.UTF-8",
    }
    try:
        return subprocess.run(nsenter, input=stdin, capture_output=True, text=True, timeout=timeout, env=environment)
    except subprocess.TimeoutExpired as error:
        raise LabError(f"{name}: {argv[0]} did not finish within {timeout} s") from error


def drop_packets(name: str, drop: bool = True) -> None:
    """Drop all packets to and from the host, or end that. Peers get no error."""
    for chain, interface_flag in (("INPUT", "-i"), ("OUTPUT", "-o")):
        result = run_on_host(name, "iptables", "-I" if drop else "-D", chain, interface_flag, "host0", "-j", "DROP")
        if result.returncode:
            raise LabError(f"{name}: {result.stderr.strip()}")


def wait_until_up(name: str) -> None:
    """Wait until systemd accepts commands and sshd listens."""
    deadline = time.monotonic() + BOOT_TIMEOUT
    while time.monotonic() < deadline:
        with contextlib.suppress(LabError):  # it is not running yet
            result = run_on_host(name, "systemctl", "is-active", "ssh.service", "docker.service")
            if result.stdout.split() == ["active", "active"]:
                return
        if not disk_dir(name).exists():
            raise LabError(f"{name} was stopped before it was up")
        time.sleep(0.2)
    tail = (disk_dir(name) / "console").read_text(errors="replace").splitlines()[-3:]
    raise LabError(f"{name} is not up after {BOOT_TIMEOUT} s: {' / '.join(tail)}")


def kill_host(name: str) -> None:
    """Kill the host's systemd and everything that runs there, and wait until its cgroup is empty."""
    pid = init_pid(name)
    if pid is not None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    cgroups.kill_group(name)
    # The kernel removes the link of a dead namespace with a delay, but the next boot needs its name immediately.
    sh("ip", "link", "del", f"vb-{name}", check=False)


def remove_host(name: str) -> None:
    """Unmount and remove the host's disk and cgroups. What cannot be removed stays in `existing_names`."""
    remove_tree(disk_dir(name))
    cgroups.remove_group(name)


def existing_names() -> list[str]:
    """Return all hosts that left something on this machine: a disk, or a cgroup of a killed lab."""
    return sorted({path.name for path in (STATE_DIR / "hosts").glob("*")} | cgroups.group_names())
