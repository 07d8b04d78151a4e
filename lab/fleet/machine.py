"""One host's life on this machine: its disk, its boot under systemd-nspawn, its end.

A host is found again by its cgroup and by the root it was booted from, so that what a killed lab left can be cleared.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

from lab.fleet.hosts import BRIDGE, LabHost
from lab.fleet.shell import STATE, LabError, launch, sh

CGROUPS = Path("/sys/fs/cgroup")
GROUP = "imker-lab"
PATIENCE = 30  # seconds a boot may take


def disk(name: str) -> Path:
    return STATE / "hosts" / name


def mount(base: Path, name: str) -> Path:
    """The host's root: its own layer over the base. Returns where it is mounted."""
    home = disk(name)
    for part in ("upper", "work", "root", "docker", "containerd"):
        (home / part).mkdir(parents=True, exist_ok=True)
    root = home / "root"
    if not os.path.ismount(root):
        layers = f"lowerdir={base / 'root'},upperdir={home / 'upper'},workdir={home / 'work'}"
        sh("mount", "-t", "overlay", "overlay", "-o", layers, root)
    return root


def boot(host: LabHost) -> None:
    """Starts systemd in the host's root, in a session and a cgroup of its own."""
    home = disk(host.name)
    nspawn = [
        *("systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "-M", host.name, "-D", str(home / "root")),
        *(f"--network-bridge={BRIDGE}", "--boot", "--capability=all", "--system-call-filter=@keyring bpf"),
        *("--resolv-conf=off", "--timezone=off", "--link-journal=no"),
        f"--bind={home / 'docker'}:/var/lib/docker",
        f"--bind={home / 'containerd'}:/var/lib/containerd",
    ]
    joins = "".join(f"echo $$ > {group}/cgroup.procs; " for group in _groups(host.name, create=True))
    launch("sh", "-c", f'{joins}exec "$@"', "sh", *nspawn, output=home / "console")


def leader(name: str) -> int | None:
    """The PID of the host's systemd as seen from here, None when it does not run."""
    root = str(disk(name) / "root")
    for process in Path("/proc").iterdir():
        if not process.name.isdigit():
            continue
        try:
            words = (process / "cmdline").read_bytes().split(b"\0")
            if b"systemd-nspawn" in words[0] and root.encode() in words:
                children = (process / f"task/{process.name}/children").read_text().split()
                return int(children[-1]) if children else None
        except (OSError, IndexError):
            continue  # it ended while we looked
    return None


def enter(name: str, *argv: str, stdin: str = "", timeout: float = 120) -> "subprocess.CompletedProcess[str]":
    """Runs argv as root on the host, without SSH."""
    pid = leader(name)
    if pid is None:
        raise LabError(f"{name} does not run")
    nsenter = ["nsenter", "-t", str(pid), "-a", "--", *argv]
    environment = {
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": "/root",
        "LANG": "C.UTF-8",
    }
    try:
        return subprocess.run(nsenter, input=stdin, capture_output=True, text=True, timeout=timeout, env=environment)
    except subprocess.TimeoutExpired as late:
        raise LabError(f"{name}: {argv[0]} did not end within {timeout} s") from late


def black_hole(name: str, dark: bool = True) -> None:
    """Drops every packet to and from the host, in its own network, until told otherwise: nobody hears of it."""
    for chain, way in (("INPUT", "-i"), ("OUTPUT", "-o")):
        done = enter(name, "iptables", "-I" if dark else "-D", chain, way, "host0", "-j", "DROP")
        if done.returncode:
            raise LabError(f"{name}: {done.stderr.strip()}")


def await_up(name: str) -> None:
    """Until systemd takes orders and sshd listens."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if leader(name) is not None:
            up = enter(name, "systemctl", "is-active", "ssh.service", "docker.service")
            if up.stdout.split() == ["active", "active"]:
                return
        time.sleep(0.2)
    tail = (disk(name) / "console").read_text(errors="replace").splitlines()[-3:]
    raise LabError(f"{name} is not up after {PATIENCE} s: {' / '.join(tail)}")


def kill(name: str) -> None:
    """Ends the host's systemd, and with it all that runs there; waits until its cgroup is empty."""
    pid = leader(name)
    if pid is not None:
        os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + PATIENCE
    while (left := _processes(name)) and time.monotonic() < deadline:
        for process in left:
            _end(process)
        time.sleep(0.05)
    # The kernel takes a dead namespace's link away when it finds the time; the next boot wants its name at once.
    sh("ip", "link", "del", f"vb-{name}", check=False)


def forget(name: str) -> None:
    """Unmounts and removes the host's disk and its cgroups."""
    for target in reversed(_mounts_below(disk(name))):
        sh("umount", "-l", target, check=False)
    shutil.rmtree(disk(name), ignore_errors=True)
    for group in _groups(name):
        _remove_group(group)


def known() -> list[str]:
    """Every host there is something of on this machine: a disk, or a cgroup that a killed lab left."""
    disks = [path.name for path in (STATE / "hosts").glob("*")]
    groups = [path.name for group in CGROUPS.glob(f"*/{GROUP}") for path in group.iterdir() if path.is_dir()]
    return sorted({*disks, *groups})


def _mounts_below(folder: Path) -> list[str]:
    mounted = [line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines()]
    return [target for target in mounted if target.startswith(f"{folder}/")]


def _hierarchies() -> list[Path]:
    """Every mounted hierarchy of version 1, and that of version 2, wherever it is."""
    lines = (line.split() for line in Path("/proc/self/mounts").read_text().splitlines())
    return [Path(words[1]) for words in lines if words[2] in ("cgroup", "cgroup2")]


def _groups(name: str, create: bool = False) -> list[Path]:
    groups = [hierarchy / GROUP / name for hierarchy in _hierarchies()]
    for group in groups if create else ():
        for folder in (group.parent, group):
            folder.mkdir(exist_ok=True)
            _inherit(folder)
    return [group for group in groups if group.exists()]


def _inherit(group: Path) -> None:
    """A new cpuset of version 1 is empty, and takes no process until it has processors and memory."""
    for file in ("cpuset.cpus", "cpuset.mems"):
        if (group / file).exists() and not (group / file).read_text().strip():
            (group / file).write_text((group.parent / file).read_text())


def _processes(name: str) -> set[int]:
    found: set[int] = set()
    for group in _groups(name):
        # os.walk passes over what goes while it looks: a dying host takes its groups away one by one.
        for folder, _, _ in os.walk(group):
            try:
                found |= {int(line) for line in (Path(folder) / "cgroup.procs").read_text().split()}
            except OSError:
                continue  # the group went while we looked
    return {pid for pid in found if not _ended(pid)}


def _ended(pid: int) -> bool:
    """A zombie has ended: only its parent has not looked yet."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except OSError:
        return True


def _end(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def _remove_group(group: Path) -> None:
    for folder, _, _ in os.walk(group, topdown=False):
        with contextlib.suppress(FileNotFoundError):
            Path(folder).rmdir()


def forget_all() -> None:
    """The group of all hosts' groups, once they are gone."""
    for hierarchy in _hierarchies():
        if (hierarchy / GROUP).exists():
            (hierarchy / GROUP).rmdir()
