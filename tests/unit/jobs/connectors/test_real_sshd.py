"""Connect to OpenSSH's own server: jump hosts, keys with a passphrase, certificates, the SSH agent, and host keys."""

import os
import re
import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from jobs.connectors.shell import command
from jobs.connectors.ssh import SshShell
from jobs.errors import CommandFailed, Unreachable
from jobs.inventory.hosts import load_inventory
from jobs.inventory.model import Host
from jobs.settings import Settings
from tests.support.sshd import Sshd, behind, known_hosts, make_key, sign_key, start_sshd

pytestmark = pytest.mark.processes


@dataclass(frozen=True)
class Site:
    """A host `kaditz` behind `gate` and `inner`, one that forwards nothing, and keys."""

    folder: Path
    key: Path
    authority: Path
    gate: Sshd
    inner: Sshd
    kaditz: Sshd
    closed: Sshd

    @property
    def known_hosts(self) -> Path:
        return known_hosts(self.folder, self.gate, self.inner, self.kaditz, self.closed)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("sshd")
    key, authority = make_key(folder / "id_ed25519"), make_key(folder / "authority")
    trusts = f"TrustedUserCAKeys {authority}.pub"
    with ExitStack() as stack:
        servers = {
            "gate": stack.enter_context(start_sshd(folder, "gate", key)),
            "inner": stack.enter_context(start_sshd(folder, "inner", key)),
            "kaditz": stack.enter_context(start_sshd(folder, "kaditz", key, trusts, "MaxStartups 100")),
            "closed": stack.enter_context(start_sshd(folder, "closed", key, "AllowTcpForwarding no")),
        }
        yield Site(folder, key, authority, **servers)


def run_true(host: Host, host_keys: Path) -> int:
    with SshShell(host, host_keys) as shell:
        return shell.run(command("true")).code


def logins(server: Sshd) -> int:
    return server.log.read_text().count("Accepted publickey")


def test_runs_commands_on_a_real_server(site: Site) -> None:
    with SshShell(site.kaditz.host, site.known_hosts) as shell:
        assert shell.run(command("echo", "an ä")).stdout == "an ä\n"
        with pytest.raises(CommandFailed, match="exit 1"):
            shell.run(command("false"))


@pytest.mark.parametrize("jumps", [("gate",), ("gate", "inner")])
def test_reaches_a_host_through_jump_hosts(site: Site, jumps: tuple[str, ...]) -> None:
    way = [getattr(site, name) for name in jumps]
    before = [logins(server) for server in way]
    assert run_true(behind(site.kaditz.host, *(server.host for server in way)), site.known_hosts) == 0
    assert [logins(server) for server in way] == [number + 1 for number in before]


def test_hosts_behind_one_jump_host_share_its_connection(site: Site) -> None:
    before = logins(site.gate)
    hosts = [behind(replace(site.kaditz.host, name=f"host{number}"), site.gate.host) for number in range(12)]
    errors: list[Exception] = []
    opened, host_keys = threading.Barrier(len(hosts)), site.known_hosts

    def use(host: Host) -> None:
        try:
            with SshShell(host, host_keys) as shell:
                opened.wait(30)
                shell.run(command("true"))
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=use, args=(host,)) for host in hosts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert logins(site.gate) == before + 1


def test_reconnects_through_a_jump_host_that_was_lost(site: Site) -> None:
    with SshShell(behind(site.kaditz.host, site.gate.host), site.known_hosts) as shell:
        hop = shell._connection.hop
        assert hop is not None
        hop.connection.client.close()
        with pytest.raises(Unreachable):
            shell.run(command("true"))
        shell.reconnect()
        assert shell.run(command("true")).code == 0


@pytest.mark.parametrize("unknown", ["gate", "inner", "kaditz"])
def test_verifies_the_host_key_at_every_hop(site: Site, tmp_path: Path, unknown: str) -> None:
    host_keys = known_hosts(tmp_path, *(getattr(site, name) for name in ("gate", "inner", "kaditz") if name != unknown))
    host = behind(site.kaditz.host, site.gate.host, site.inner.host)
    with pytest.raises(Unreachable, match=f"{unknown}'s SSH host key is unknown") as refused:
        SshShell(host, host_keys)
    port = getattr(site, unknown).host.ssh_port
    assert re.search(rf"ssh-keyscan -p {port} 127.0.0.1 >> ", refused.value.hint)
    assert refused.value.host == "kaditz"
    assert refused.value.check == "host key"


def test_rejects_a_changed_host_key_of_a_jump_host(site: Site, tmp_path: Path) -> None:
    swapped = replace(
        site.gate, known_hosts_line=site.gate.known_hosts_line.rsplit(" ", 1)[0] + " " + key_of(site.inner)
    )
    host_keys = known_hosts(tmp_path, swapped, site.kaditz)
    with pytest.raises(Unreachable, match="gate's SSH host key differs from the one in known_hosts"):
        SshShell(behind(site.kaditz.host, site.gate.host), host_keys)


def key_of(server: Sshd) -> str:
    return server.known_hosts_line.split()[2] + "\n"


def test_says_that_a_jump_host_forwards_nothing(site: Site) -> None:
    with pytest.raises(Unreachable, match="through the jump host closed: it forwards no connections") as refused:
        SshShell(behind(site.kaditz.host, site.closed.host), site.known_hosts)
    assert "AllowTcpForwarding" in refused.value.hint


def test_says_that_a_jump_host_does_not_reach_the_host(site: Site) -> None:
    closed_port = replace(site.kaditz.host, ssh_port=1)
    with pytest.raises(Unreachable, match=r"is unreachable through the jump host gate: .*Connect failed"):
        SshShell(behind(closed_port, site.gate.host), site.known_hosts)


def test_says_that_a_jump_host_is_down(site: Site) -> None:
    down = replace(site.gate.host, ssh_port=1)
    with pytest.raises(Unreachable, match=r"kaditz is behind the jump host gate, which failed: .*refused"):
        SshShell(behind(site.kaditz.host, down), site.known_hosts)


def test_opens_a_key_with_the_passphrase_of_a_file(site: Site, tmp_path: Path) -> None:
    with encrypted_key(site, tmp_path) as host:
        (tmp_path / "passphrase").write_text("a b c\n")
        assert run_true(replace(host, ssh_passphrase=tmp_path / "passphrase"), site.known_hosts) == 0
        (tmp_path / "passphrase").write_text("wrong")
        with pytest.raises(Unreachable, match=r"the passphrase in .*/passphrase does not open it") as refused:
            SshShell(replace(host, ssh_passphrase=tmp_path / "passphrase"), site.known_hosts)
        assert "wrong" not in f"{refused.value} {refused.value.hint}".replace("passphrase", "")
        with pytest.raises(Unreachable, match="it has a passphrase") as refused:
            SshShell(host, site.known_hosts)
        assert "ssh_passphrase" in refused.value.hint


def test_a_passphrase_that_a_key_does_not_need_is_ignored(site: Site, tmp_path: Path) -> None:
    (tmp_path / "passphrase").write_text("a b c\n")
    assert run_true(replace(site.kaditz.host, ssh_passphrase=tmp_path / "passphrase"), site.known_hosts) == 0


@contextmanager
def encrypted_key(site: Site, folder: Path) -> Iterator[Host]:
    """Return a host that a key with a passphrase opens, by a certificate of the authority."""
    key = make_key(folder / "encrypted", passphrase="a b c")
    certificate = sign_key(site.authority, key)
    yield replace(site.kaditz.host, ssh_key=key, ssh_certificate=certificate)


def test_logs_in_with_a_certificate(site: Site, tmp_path: Path) -> None:
    key = make_key(tmp_path / "key")
    host = replace(site.kaditz.host, ssh_key=key)
    with pytest.raises(Unreachable, match=r"refuses .*'s SSH key"):
        SshShell(host, site.known_hosts)
    certificate = sign_key(site.authority, key).rename(tmp_path / "elsewhere")
    assert run_true(replace(host, ssh_certificate=certificate), site.known_hosts) == 0


def test_says_how_to_look_at_a_certificate_that_is_refused(site: Site, tmp_path: Path) -> None:
    key = make_key(tmp_path / "key")
    certificate = sign_key(site.authority, key, "-V", "20200101:20200102")
    with pytest.raises(Unreachable, match=r"refuses .*'s SSH certificate") as refused:
        SshShell(replace(site.kaditz.host, ssh_key=key, ssh_certificate=certificate), site.known_hosts)
    assert f"ssh-keygen -L -f {certificate}" in refused.value.hint


@pytest.mark.parametrize("text", ["nonsense", ""])
def test_rejects_a_file_that_is_no_certificate(site: Site, tmp_path: Path, text: str) -> None:
    (tmp_path / "certificate").write_text(text)
    with pytest.raises(Unreachable, match=f"it is not a certificate of the key {site.key}"):
        SshShell(replace(site.kaditz.host, ssh_certificate=tmp_path / "certificate"), site.known_hosts)


def test_logs_in_with_a_key_of_the_agent(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    with agent(site.key) as socket:
        monkeypatch.setenv("SSH_AUTH_SOCK", str(socket))
        host = replace(site.kaditz.host, ssh_key=None, ssh_agent=True)
        assert run_true(behind(host, replace(site.gate.host, ssh_key=None, ssh_agent=True)), site.known_hosts) == 0
        with pytest.raises(Unreachable, match="kaditz accepts no key of the SSH agent"):
            SshShell(replace(host, ssh_agent=False), site.known_hosts)


def test_says_that_the_agent_has_no_key_for_the_host(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    with pytest.raises(Unreachable, match="accepts no key of the SSH agent") as refused:
        SshShell(replace(site.kaditz.host, ssh_key=None, ssh_agent=True), site.known_hosts)
    assert "SSH_AUTH_SOCK" in refused.value.hint


def test_follows_the_configuration_of_openssh(site: Site, tmp_path: Path) -> None:
    entries = [
        f"Host {name}\nHostName 127.0.0.1\nPort {server.host.ssh_port}\nUser {server.host.ssh_user}\n{jump}\n"
        for name, server, jump in (
            ("gate", site.gate, ""),
            ("inner", site.inner, "ProxyJump gate"),
            ("kaditz", site.kaditz, "ProxyJump inner"),
        )
    ]
    (tmp_path / "config").write_text("".join(entries) + f"Host *\nIdentityFile {site.key}\n")
    for name in ("ca.pem", "cert.pem", "key.pem"):
        (tmp_path / name).touch(0o600)
    inventory = {"ssh_config": tmp_path / "config", "known_hosts": site.known_hosts}
    text = {"inventory": inventory, "hosts": {"kaditz": {"tls": tmp_path}}}
    kaditz = load_inventory(Settings.model_validate(text))["kaditz"]
    assert [jump.name for jump in kaditz.jumps] == ["gate", "inner"]
    before = [logins(server) for server in (site.gate, site.inner, site.kaditz)]
    assert run_true(kaditz, site.known_hosts) == 0
    assert [logins(server) for server in (site.gate, site.inner, site.kaditz)] == [number + 1 for number in before]


@contextmanager
def agent(key: Path) -> Iterator[Path]:
    """Run an SSH agent with one key. Its socket's path is short, because such paths are limited."""
    socket = Path(f"/tmp/imker-agent-{os.getpid()}")
    with subprocess.Popen(("ssh-agent", "-D", "-a", str(socket)), stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            process.stdout.readline()  # the socket exists
            environment = {**os.environ, "SSH_AUTH_SOCK": str(socket)}
            subprocess.run(("ssh-add", "-q", str(key)), env=environment, check=True)
            yield socket
        finally:
            process.terminate()
            process.wait()
            socket.unlink(missing_ok=True)
