"""The lab's accept rules at the top of this machine's firewall: Docker and ufw set the policy of FORWARD to DROP."""

import shutil
import subprocess
from pathlib import Path

from lab.fleet.hosts import BRIDGE, GATEWAY, PORT
from lab.fleet.shell import sh

RULES = (
    ("FORWARD", "-i", BRIDGE, "-o", BRIDGE, "-j", "ACCEPT"),
    ("INPUT", "-i", BRIDGE, "-d", GATEWAY, "-p", "tcp", "--dport", str(PORT), "-j", "ACCEPT"),
)
LEGACY_TABLES = Path("/proc/net/ip_tables_names")  # of this network namespace; missing or empty if unused


def open_bridge() -> None:
    """Insert the rules, each once, in every backend that this machine uses."""
    close_bridge()
    for tool in _tools():
        for chain, *rule in RULES:
            sh(tool, "-w", "-I", chain, *rule)


def close_bridge() -> None:
    """Delete the rules, also those that a killed lab left."""
    for tool in _tools():
        for chain, *rule in RULES:
            while _succeeds(tool, "-w", "-C", chain, *rule):
                sh(tool, "-w", "-D", chain, *rule)


def _tools() -> list[str]:
    """Return the commands of the backends in use: the one that Docker uses, and the legacy one if it has a filter."""
    legacy = LEGACY_TABLES.exists() and "filter" in LEGACY_TABLES.read_text().split()
    return [tool for tool in ("iptables", *(["iptables-legacy"] if legacy else [])) if shutil.which(tool)]


def _succeeds(*argv: str) -> bool:
    return subprocess.run(argv, capture_output=True).returncode == 0
