"""The expected state of real hosts: the 2016 state, and nothing left after `down`."""

import subprocess
from pathlib import Path

from lab.fleet import limits
from lab.fleet.hosts import BRIDGE
from lab.fleet.shell import CACHE_DIR, STATE_DIR
from tests.e2e.support.deployment import run_on

Containers = dict[str, tuple[str, str]]
ALWAYS = ("running", "always")
APPLICATIONS = {
    "web": ("running", "unless-stopped"),
    "batch": ("running", "no"),
    "cache": ("running", "unless-stopped"),
}
LEGACY_CONTAINERS: dict[str, Containers] = {
    "connewitz": APPLICATIONS,
    "tondi": {**APPLICATIONS, "swarm-agent": ALWAYS},
    "lausen": {**APPLICATIONS, "consulnode01": ALWAYS},
    "miltitz": {**APPLICATIONS, "swarm-agent": ALWAYS, "swarm-agent-master": ALWAYS},
}


def container_states(host: str) -> Containers:
    """Return name -> (state, restart policy) of all containers."""
    form = "{{.Name}} {{.State.Status}} {{.HostConfig.RestartPolicy.Name}}"
    rows = run_on(host, "sh", "-c", f"docker inspect -f '{form}' $(docker ps -aq)").splitlines()
    fields_of_rows = [line.lstrip("/").split() for line in rows]
    return {row[0]: (row[1], row[2] if len(row) > 2 else "no") for row in fields_of_rows}


def container_details(host: str) -> dict[str, tuple[str, ...]]:
    """Return name -> (state, restart policy, image, ports, networks) of all containers."""
    form = (
        "{{.Name}}|{{.State.Status}}|{{.HostConfig.RestartPolicy.Name}}|{{.Config.Image}}|"
        "{{json .HostConfig.PortBindings}}|{{range $name, $_ := .NetworkSettings.Networks}}{{$name}} {{end}}"
    )
    rows = run_on(host, "sh", "-c", f"docker inspect -f '{form}' $(docker ps -aq)").splitlines()
    fields_of_rows = [line.lstrip("/").split("|") for line in rows]
    return {name: (state, policy or "no", *rest) for name, state, policy, *rest in fields_of_rows}


def lab_leftovers() -> list[str]:
    """Return everything of the lab on this machine except the finished base and keys."""
    mounts = [line for line in Path("/proc/self/mounts").read_text().splitlines() if "imker-lab" in line]
    hierarchies = [Path("/sys/fs/cgroup"), *Path("/sys/fs/cgroup").glob("*/")]
    groups = [str(folder / "imker-lab") for folder in hierarchies if (folder / "imker-lab").exists()]
    links = [path.name for path in Path("/sys/class/net").iterdir() if path.name == BRIDGE or path.name[:3] == "vb-"]
    folders = [*map(str, CACHE_DIR.glob("*.unfinished")), *map(str, (STATE_DIR / "hosts").glob("*"))]
    limit = [str(limits.SAVED_LIMIT)] if limits.SAVED_LIMIT.exists() else []
    return [*mounts, *groups, *links, *folders, *limit, *_rules(), *_processes()]


def _rules() -> list[str]:
    output = subprocess.run(["iptables", "-w", "-S"], capture_output=True, text=True, check=True).stdout
    return [rule for rule in output.splitlines() if BRIDGE in rule]


def _processes() -> list[str]:
    """Return command lines of the web server, systemd-nspawn, and the build: all contain a folder of the lab."""
    command_lines = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes()
        except OSError:
            continue  # it exited meanwhile
        if any(f"{folder}/".encode() in words for folder in (CACHE_DIR, STATE_DIR)):
            command_lines.append(words.replace(b"\0", b" ").decode(errors="replace"))
    return command_lines
