"""What the lab promises of real hosts: the state of 2016, and, after `down`, nothing."""

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
    """Name -> (state, restart policy) of every container, running or not."""
    form = "{{.Name}} {{.State.Status}} {{.HostConfig.RestartPolicy.Name}}"
    rows = run_on(host, "sh", "-c", f"docker inspect -f '{form}' $(docker ps -aq)").splitlines()
    fields_of_rows = [line.lstrip("/").split() for line in rows]
    return {row[0]: (row[1], row[2] if len(row) > 2 else "no") for row in fields_of_rows}


def container_details(host: str) -> dict[str, tuple[str, ...]]:
    """Name -> (state, restart policy, image, ports, networks) of every container, running or not."""
    form = (
        "{{.Name}}|{{.State.Status}}|{{.HostConfig.RestartPolicy.Name}}|{{.Config.Image}}|"
        "{{json .HostConfig.PortBindings}}|{{range $name, $_ := .NetworkSettings.Networks}}{{$name}} {{end}}"
    )
    rows = run_on(host, "sh", "-c", f"docker inspect -f '{form}' $(docker ps -aq)").splitlines()
    fields_of_rows = [line.lstrip("/").split("|") for line in rows]
    return {name: (state, policy or "no", *rest) for name, state, policy, *rest in fields_of_rows}


def lab_leftovers() -> list[str]:
    """Whatever of the lab is still on this machine; the finished base, and keys, may be."""
    mounts = [line for line in Path("/proc/self/mounts").read_text().splitlines() if "imker-lab" in line]
    hierarchies = [Path("/sys/fs/cgroup"), *Path("/sys/fs/cgroup").glob("*/")]
    groups = [str(folder / "imker-lab") for folder in hierarchies if (folder / "imker-lab").exists()]
    links = [path.name for path in Path("/sys/class/net").iterdir() if path.name == BRIDGE or path.name[:3] == "vb-"]
    folders = [*map(str, CACHE_DIR.glob("*.unfinished")), *map(str, (STATE_DIR / "hosts").glob("*"))]
    limit = [str(limits.SAVED_LIMIT)] if limits.SAVED_LIMIT.exists() else []
    return [*mounts, *groups, *links, *folders, *limit, *_rules(), *_processes()]


def _rules() -> list[str]:
    said = subprocess.run(["iptables", "-w", "-S"], capture_output=True, text=True, check=True).stdout
    return [rule for rule in said.splitlines() if BRIDGE in rule]


def _processes() -> list[str]:
    """The web server, systemd-nspawn and what builds a base all name one of the lab's folders."""
    command_lines = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes()
        except OSError:
            continue  # it ended while we looked
        if any(f"{folder}/".encode() in words for folder in (CACHE_DIR, STATE_DIR)):
            command_lines.append(words.replace(b"\0", b" ").decode(errors="replace"))
    return command_lines
