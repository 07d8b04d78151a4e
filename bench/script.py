"""Migrate hosts with migrate.sh, over one SSH connection to each."""

import subprocess
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bench.world import wait_until_ready
from lab.fleet import fleet
from lab.fleet.client_files import KEYS_DIR
from lab.fleet.hosts import LabHost

SCRIPT = Path(__file__).with_name("migrate.sh")
SSH_KEY, SSH_USER, VERSION = KEYS_DIR / "ssh/id_ed25519", "geschke", "26.1*"
TIMEOUT = 180  # seconds


def migrate(hosts: Sequence[LabHost]) -> None:
    """Initialize a swarm on the first host, then migrate all others at once, and wait until all are ready."""
    first, *others = hosts
    worker_token, manager_token = _run(first).split()
    tokens = {"worker": worker_token, "manager": manager_token}
    with ThreadPoolExecutor(max(1, len(others))) as pool:
        list(pool.map(lambda host: _run(host, tokens[host.role], first.address), others))
    wait_until_ready(hosts)


def ssh(host: LabHost, *command: str, text: str = "") -> str:
    """Run a command on the host and return its output. `text`: its standard input. Raises CalledProcessError."""
    options = [f"-oUserKnownHostsFile={fleet.CLIENT_DIR}/known_hosts", "-oStrictHostKeyChecking=yes"]
    argv = ["ssh", "-qi", str(SSH_KEY), *options, f"{SSH_USER}@{host.address}", *command]
    return subprocess.run(argv, input=text, capture_output=True, text=True, check=True, timeout=TIMEOUT).stdout


def _run(host: LabHost, *arguments: str) -> str:
    return ssh(host, "sudo", "sh", "-s", "--", f"'{VERSION}'", host.address, *arguments, text=SCRIPT.read_text())
