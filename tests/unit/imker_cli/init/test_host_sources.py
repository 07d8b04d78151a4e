"""Find hosts in files as people have them."""

from pathlib import Path

import pytest

from imker_cli.init.answers.model import AnswerError
from imker_cli.init.host_sources import find_default_source, find_hosts

SSH_CONFIG = """
Host *
    User geschke
Host kaditz lausen
    HostName 192.168.10.39
Host tondi
    IdentityFile ~/keys/tondi
"""


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Use an empty home folder, without an SSH agent."""
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("SSH_AUTH_SOCK", "MACHINE_STORAGE_PATH"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def test_reads_an_ssh_configuration(home: Path) -> None:
    (home / "config").write_text(SSH_CONFIG)
    selection = find_hosts("~/config tondi kaditz")
    assert selection.inventory == {"ssh_config": str(home / "config"), "engine_over": "ssh"}
    assert {host.name: dict(host.section) for host in selection.hosts} == {"kaditz": {}, "tondi": {"address": "tondi"}}


@pytest.mark.parametrize(
    ("name", "text"),
    [("hosts", "[docker]\nkaditz\n[other]\ntondi\n"), ("hosts.yml", "docker: {hosts: {kaditz: }}\nx: {hosts: {y: }}")],
)
def test_reads_a_group_of_an_ansible_inventory(home: Path, name: str, text: str) -> None:
    (home / name).write_text(text)
    selection = find_hosts(f"{home / name} docker")
    assert [(host.name, dict(host.section)) for host in selection.hosts] == [("kaditz", {"address": "kaditz"})]
    assert selection.inventory == {"engine_over": "ssh"}


def test_adds_the_key_of_this_user_or_the_agent(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSH_AUTH_SOCK", "/agent")
    assert find_hosts("kaditz").hosts[0].section == {"address": "kaditz", "ssh_agent": True}
    (home / ".ssh").mkdir()
    (home / ".ssh/id_rsa").touch()
    assert find_hosts("kaditz").hosts[0].section == {"address": "kaditz", "ssh_key": str(home / ".ssh/id_rsa")}


def test_reads_a_store(home: Path) -> None:
    store = home / ".docker/machine"
    assert find_default_source() == ""
    (store / "machines/kaditz").mkdir(parents=True)
    (store / "machines/kaditz/config.json").write_text('{"Driver": {"IPAddress": "10.0.0.1"}}')
    selection = find_hosts(find_default_source())
    assert ([host.name for host in selection.hosts], selection.has_store) == (["kaditz"], True)
    assert selection.inventory == {"docker_machine": str(store)}
    with pytest.raises(AnswerError, match="takes all machines of a store"):
        find_hosts(f"{store} kaditz")


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("", "Type a path"),
        ("'kaditz", "quote without an end"),
        ("./none", "none does not exist"),
        ("~", "has no machines/, as docker-machine"),
        ("~/binary", "cannot be read"),
        ("~/empty", "no hosts in it"),
    ],
)
def test_refuses_what_has_no_hosts(home: Path, text: str, hint: str) -> None:
    (home / "binary").write_bytes(b"\xff\xfe")
    (home / "empty").touch()
    with pytest.raises(AnswerError, match=hint):
        find_hosts(text)
