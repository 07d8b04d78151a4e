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
VERSION = "26.1*"


def migrate(hosts: Sequence[LabHost]) -> None:
    """Initialize a swarm on the first host, then migrate all others at once, and wait until all are ready."""
    first, *others = hosts
    worker_token, manager_token = _run(first).split()
    tokens = {"worker": worker_token, "manager": manager_token}
    with ThreadPoolExecutor(max(1, len(others))) as pool:
        list(pool.map(lambda host: _run(host, tokens[host.role], first.address), others))
    wait_until_ready(hosts)


def _run(host: LabHost, *arguments: str) -> str:
    options = [f"-oUserKnownHostsFile={fleet.CLIENT_DIR}/known_hosts", "-oStrictHostKeyChecking=yes"]
    command = ["sudo", "sh", "-s", "--", f"'{VERSION}'", host.address, *arguments]
    return subprocess.run(
        ["ssh", "-qi", str(KEYS_DIR / "ssh/id_ed25519"), *options, f"geschke@{host.address}", *command],
        input=SCRIPT.read_text(),
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    ).stdout
