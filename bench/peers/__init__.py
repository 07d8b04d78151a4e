"""Migrate hosts with pyinfra and with Ansible, each as a user of that tool would, for comparison.

Both come from PyPI, into an environment of their own. The hosts have no Python: pyinfra needs only a shell, and the
playbook uses Ansible's module `raw`.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from bench import script
from bench.world import wait_until_ready
from lab.fleet import fleet
from lab.fleet.hosts import LabHost

FOLDER = Path(__file__).parent
ENVIRONMENT = fleet.CLIENT_DIR / "peers"
PACKAGES = ("pyinfra==3.10.0", "ansible-core==2.19.14")
TIMEOUT = 180  # seconds
Migrate = Callable[[Sequence[LabHost]], None]


def install(say: Callable[[str], None]) -> dict[str, Migrate]:
    """Install both tools, and return what migrates hosts with each."""
    say(f"installing {', '.join(PACKAGES)}")
    ENVIRONMENT.parent.mkdir(mode=0o700, exist_ok=True)
    subprocess.run([sys.executable, "-m", "venv", str(ENVIRONMENT)], check=True)
    subprocess.run([str(ENVIRONMENT / "bin/pip"), "install", "-q", *PACKAGES], check=True, timeout=TIMEOUT)
    return {"pyinfra": partial(_migrate, _run_pyinfra), "Ansible": partial(_migrate, _run_ansible)}


def _migrate(run: Callable[[Sequence[LabHost], dict[str, str]], None], hosts: Sequence[LabHost]) -> None:
    """Initialize a swarm on the first host, then migrate all others at once, and wait until all are ready."""
    first, *others = hosts
    run([first], {})
    if others:
        tokens = {name: _join_token(first, name) for name in ("worker", "manager")}
        run(others, {**tokens, "first": first.address})
    wait_until_ready(hosts)


def _join_token(host: LabHost, role: str) -> str:
    return script.ssh(host, "sudo", "docker", "swarm", "join-token", "-q", role).strip()


def _run_pyinfra(hosts: Sequence[LabHost], tokens: dict[str, str]) -> None:
    data = {
        "ssh_user": script.SSH_USER,
        "ssh_key": str(script.SSH_KEY),
        "ssh_known_hosts_file": str((fleet.CLIENT_DIR / "known_hosts").resolve()),
        "ssh_strict_host_key_checking": "yes",
    }
    inventory = [(host.address, {**data, **_variables(host, tokens)}) for host in hosts]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "inventory.py"
        file.write_text(f"hosts = {inventory!r}\n")
        _run("pyinfra", "-y", str(file), str(FOLDER / "pyinfra_deploy.py"), folder=folder)


def _run_ansible(hosts: Sequence[LabHost], tokens: dict[str, str]) -> None:
    known_hosts = (fleet.CLIENT_DIR / "known_hosts").resolve()
    variables = {
        "ansible_user": script.SSH_USER,
        "ansible_ssh_private_key_file": str(script.SSH_KEY),
        "ansible_ssh_extra_args": f"-o UserKnownHostsFile={known_hosts} -o StrictHostKeyChecking=yes",
    }
    members = {host.address: {**variables, **_variables(host, tokens)} for host in hosts}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "inventory.json"
        file.write_text(json.dumps({"all": {"hosts": members}}))
        _run("ansible-playbook", "-f", "16", "-i", str(file), str(FOLDER / "playbook.yml"), folder=folder)


def _variables(host: LabHost, tokens: dict[str, str]) -> dict[str, str]:
    return {
        "version": script.VERSION,
        "address": host.address,
        "token": tokens.get(host.role, ""),
        "first_manager": tokens.get("first", ""),
    }


def _run(program: str, *arguments: str, folder: str) -> None:
    environment = {**os.environ, "ANSIBLE_PIPELINING": "1", "ANSIBLE_LOCAL_TEMP": folder, "HOME": folder}
    environment |= {"ANSIBLE_NOCOLOR": "1", "ANSIBLE_HOME": folder, "LC_ALL": "C.UTF-8"}
    argv = [str((ENVIRONMENT / "bin" / program).absolute()), *arguments]
    result = subprocess.run(argv, capture_output=True, text=True, timeout=TIMEOUT, env=environment, cwd=folder)
    if result.returncode:
        raise subprocess.SubprocessError(f"{program}: {(result.stdout + result.stderr)[-3000:]}")
