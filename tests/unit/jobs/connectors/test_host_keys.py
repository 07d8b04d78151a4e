"""Read the host keys that OpenSSH's own servers present, and compare them with known_hosts."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from jobs.connectors.ssh_client.host_keys import read_host_key
from jobs.errors import Unreachable
from lab.slack.server_process import free_port
from tests.support.sshd import Sshd, behind, known_hosts, make_key, run, start_sshd

pytestmark = pytest.mark.processes


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Sshd, Sshd]]:
    folder = tmp_path_factory.mktemp("sshd")
    key = make_key(folder / "id_ed25519")
    make_key(folder / "rsa", "-t", "rsa")
    second_key = f"HostKey {folder / 'rsa'}"
    with start_sshd(folder, "gate", key) as gate, start_sshd(folder, "kaditz", key, second_key) as kaditz:
        yield gate, kaditz


def test_reads_the_key_and_its_fingerprint(servers: tuple[Sshd, Sshd], tmp_path: Path) -> None:
    _, kaditz = servers
    key = read_host_key(kaditz.host, (tmp_path / "missing",), tmp_path)
    assert (f"{key.line}\n", key.kind, key.state) == (kaditz.known_hosts_line, "ssh-ed25519", "new")
    (tmp_path / "key.pub").write_text(key.line.split(" ", 1)[1])
    run("sh", "-c", f"ssh-keygen -lf {tmp_path / 'key.pub'} | grep -qF {key.fingerprint}")


def test_compares_it_with_each_file(servers: tuple[Sshd, Sshd], tmp_path: Path) -> None:
    gate, kaditz = servers
    files = (tmp_path / "known_hosts", known_hosts(tmp_path, kaditz))
    assert read_host_key(kaditz.host, files, tmp_path).state == "known"
    address, _ = kaditz.known_hosts_line.split(" ", 1)
    _, other = gate.known_hosts_line.split(" ", 1)
    files[0].write_text(f"{address} {other}")
    assert read_host_key(kaditz.host, files, tmp_path).state == "changed"


def test_prefers_the_kind_of_key_that_is_known(servers: tuple[Sshd, Sshd], tmp_path: Path) -> None:
    """A host with keys of several kinds has not changed if known_hosts has another kind than it would choose."""
    _, kaditz = servers
    address, _ = kaditz.known_hosts_line.split(" ", 1)
    rsa = (kaditz.log.parent.parent / "rsa.pub").read_text()
    (tmp_path / "known_hosts").write_text(f"{address} {rsa}")
    key = read_host_key(kaditz.host, (tmp_path / "known_hosts",), tmp_path)
    assert (key.kind, key.state) == ("ssh-rsa", "known")


def test_reads_a_key_behind_a_jump_host(servers: tuple[Sshd, Sshd], tmp_path: Path) -> None:
    gate, kaditz = servers
    host = behind(kaditz.host, gate.host)
    assert f"{read_host_key(host, (), known_hosts(tmp_path, gate)).line}\n" == kaditz.known_hosts_line
    with pytest.raises(Unreachable, match="gate's SSH host key is unknown"):
        read_host_key(host, (), known_hosts(tmp_path, kaditz))


def test_names_a_host_that_does_not_answer(servers: tuple[Sshd, Sshd], tmp_path: Path) -> None:
    away = replace(servers[1].host, ssh_port=free_port())
    with pytest.raises(Unreachable, match=r"kaditz \(127\.0\.0\.1\) is unreachable over SSH"):
        read_host_key(away, (), tmp_path)
