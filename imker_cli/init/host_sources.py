"""Find hosts where a person keeps them: docker-machine's store, an Ansible inventory, or OpenSSH's configuration."""

import os
import re
import shlex
from collections.abc import Mapping
from pathlib import Path

from imker_cli.init.answers import ansible
from imker_cli.init.answers.host_lists import choose_hosts, parse_typed_hosts
from imker_cli.init.answers.model import AnswerError, FoundHost, FoundHosts, Value
from jobs.connectors.ssh_client.config_file import SshConfigFile
from jobs.inventory.machine_store import is_file, read_store

KEY_NAMES = ("id_ed25519", "id_ecdsa", "id_rsa")
YAML_SUFFIXES = (".yml", ".yaml", ".json")
SSH_CONFIG_LINE = re.compile(r"^[ \t]*(?:Host|Match|Include)[ \t]+\S", re.IGNORECASE | re.MULTILINE)
OVER_SSH: Mapping[str, Value] = {"engine_over": "ssh"}  # without a store there are no TLS files
MAX_BYTES = 1_000_000  # of a file


def find_default_source() -> str:
    """Return docker-machine's store if there is one, else ""."""
    store = os.environ.get("MACHINE_STORAGE_PATH") or "~/.docker/machine"
    return store if (Path(store).expanduser() / "machines").is_dir() else ""


def find_hosts(text: str) -> FoundHosts:
    """Return the hosts of an answer: a path, with the names of some hosts or groups, or hosts. Raise AnswerError."""
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise AnswerError(f"{text} has a quote without an end.") from error
    if not words:
        raise AnswerError("Type a path, or hosts as NAME=USER@ADDRESS.")
    path = Path(words[0]).expanduser()
    if path.is_dir():
        return _from_store(path.resolve(), words[1:])
    if path.is_file():
        return _from_file(path.resolve(), words[1:])
    if "/" in words[0]:
        raise AnswerError(f"{path} does not exist.")
    hosts = parse_typed_hosts(words)
    return FoundHosts(tuple(map(_with_key, hosts)), OVER_SSH)


def _from_store(store: Path, words: list[str]) -> FoundHosts:
    if not (store / "machines").is_dir():
        raise AnswerError(
            f"{store} has no machines/, as docker-machine's store has. Of other inventories, name a file."
        )
    stored, problems = read_store(store)
    if problems:
        raise AnswerError(" ".join(problems))
    if words:
        raise AnswerError("Imker takes all machines of a store. Move the others out of it, or type the hosts.")
    hosts = choose_hosts((FoundHost(name) for name in stored), ())
    return FoundHosts(hosts, {"docker_machine": str(store)}, has_store=True)


def _from_file(path: Path, words: list[str]) -> FoundHosts:
    try:
        with path.open("rb") as file:
            text = file.read(MAX_BYTES).decode()
    except (OSError, UnicodeDecodeError) as error:
        raise AnswerError(f"{path} cannot be read: {error}") from error
    if path.suffix not in YAML_SUFFIXES and SSH_CONFIG_LINE.search(text):
        return _from_ssh_config(path, words)
    hosts = choose_hosts(ansible.parse_inventory(text, is_yaml=path.suffix in YAML_SUFFIXES), words)
    return FoundHosts(tuple(map(_with_key, hosts)), OVER_SSH)


def _from_ssh_config(path: Path, words: list[str]) -> FoundHosts:
    try:
        config = SshConfigFile(path)
    except ValueError as error:
        raise AnswerError(f"{path}: {error}") from error
    hosts = choose_hosts((_from_entry(config, name) for name in config.names()), words)
    return FoundHosts(hosts, {"ssh_config": str(path), **OVER_SSH})


def _from_entry(config: SshConfigFile, name: str) -> FoundHost:
    """Return a host of OpenSSH's configuration, with what Imker does not find there."""
    entry = config.find(name)
    address: dict[str, Value] = {} if entry.address else {"address": name}
    return FoundHost(name.lower(), address if entry.keys else _complete(address))


def _with_key(host: FoundHost) -> FoundHost:
    return FoundHost(host.name, _complete(host.section), host.groups)


def _complete(section: Mapping[str, Value]) -> dict[str, Value]:
    """Return the section with this user's SSH key, or with the SSH agent, if it names no key."""
    key = next((path for name in KEY_NAMES if is_file(path := Path("~/.ssh").expanduser() / name)), None)
    if "ssh_key" in section or (key is None and not os.environ.get("SSH_AUTH_SOCK")):
        return dict(section)
    return {**section, **({"ssh_key": str(key)} if key else {"ssh_agent": True})}
