"""The lab's network: one bridge, and a small web server for apt. It reaches nothing else."""

import contextlib
import json
import os
import signal
import socket
import sys
import time
from collections.abc import Iterable
from ipaddress import ip_network
from pathlib import Path

from lab.fleet import firewall
from lab.fleet.hosts import BRIDGE, GATEWAY, NETWORK, PORT
from lab.fleet.shell import LabError, launch_detached, sh

IP_FREEBIND = 15  # from linux/in.h: bind to an address that this machine does not have yet
DEFAULT_BITS = 7  # longest prefix of a default route: VPNs split it into 0.0.0.0/1 and 128.0.0.0/1 or smaller parts


def expect_free() -> None:
    """Raise LabError if this machine already uses the lab's addresses or port. Changes nothing."""
    used = overlapping(json.loads(sh("ip", "-4", "-json", "route", "show", "table", "all")))
    if used:
        raise LabError(f"{NETWORK} is in use on this machine: {', '.join(used)}. The lab's hosts need these addresses.")
    if not repository_servers():
        _expect_port_free()


def overlapping(routes: Iterable[dict[str, str]]) -> list[str]:
    """Return routes into the lab's network that are not its own, except default routes. Pure."""
    routes_in_use = []
    for route in routes:
        name = f"{route['dst']} dev {route.get('dev', 'none')}"
        network = ip_network("0.0.0.0/0" if route["dst"] == "default" else route["dst"])
        if route.get("dev") != BRIDGE and network.prefixlen > DEFAULT_BITS and network.overlaps(ip_network(NETWORK)):
            routes_in_use.append(name)
    return list(dict.fromkeys(routes_in_use))


def _expect_port_free() -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.setsockopt(socket.IPPROTO_IP, IP_FREEBIND, 1)
        try:
            probe.bind((GATEWAY, PORT))
        except OSError as error:
            raise LabError(
                f"port {PORT} is in use on this machine: the lab serves its apt repository at {GATEWAY}:{PORT}. "
                f"Find out what listens there: ss -ltnp 'sport = {PORT}'"
            ) from error


def create_network() -> None:
    if not Path(f"/sys/class/net/{BRIDGE}").exists():
        sh("ip", "link", "add", BRIDGE, "type", "bridge")
    sh("ip", "addr", "replace", f"{GATEWAY}/24", "dev", BRIDGE)
    sh("ip", "link", "set", BRIDGE, "up")
    firewall.open_bridge()


def remove_network() -> None:
    _stop_servers()
    firewall.close_bridge()
    sh("ip", "link", "del", BRIDGE, check=False)


def serve_repository(repository: Path) -> None:
    """Serve the apt repository on the bridge's address only, and stop a server of an older one."""
    _stop_servers(except_folder=str(repository))
    if not repository_servers():
        argv = (sys.executable, "-m", "http.server", str(PORT), "--bind", GATEWAY, "--directory", str(repository))
        launch_detached(*argv, output=Path("/dev/null"))


def repository_servers() -> dict[int, str]:
    """Return PID -> folder of the lab's web servers in this network namespace, also after a kill."""
    folders = {}
    here = Path("/proc/self/ns/net").readlink()
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            try:
                words = (process / "cmdline").read_bytes().decode(errors="replace").split("\0")
                namespace = (process / "ns/net").readlink()
            except OSError:
                continue  # it exited meanwhile
            if "http.server" in words and GATEWAY in words and here == namespace:
                folders[int(process.name)] = words[words.index("--directory") + 1]
    return folders


def _stop_servers(except_folder: str = "") -> None:
    while stale := [pid for pid, folder in repository_servers().items() if folder != except_folder]:
        for pid in stale:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.02)
