"""Confirm the host keys of OpenSSH's own servers, one of them behind a jump host."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from imker_cli.init.answers.model import AnswerError
from imker_cli.init.host_questions import ask_hosts
from imker_cli.init.terminal import Terminal
from tests.support.sshd import Sshd, make_key, start_sshd

pytestmark = pytest.mark.processes

CONFIG = """
Host kaditz
  ProxyJump gate
Host kaditz gate
  HostName 127.0.0.1
  User {user}
  IdentityFile {key}
Host kaditz
  Port {port}
Host gate
  Port {gate_port}
"""


@pytest.fixture
def servers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Sshd, Sshd]]:
    """Run `gate` and `kaditz`, and write an SSH configuration that reaches one through the other."""
    monkeypatch.setenv("HOME", str(tmp_path))
    key = make_key(tmp_path / "id_ed25519")
    with start_sshd(tmp_path, "gate", key) as gate, start_sshd(tmp_path, "kaditz", key) as kaditz:
        values = {"user": gate.host.ssh_user, "port": kaditz.host.ssh_port, "gate_port": gate.host.ssh_port}
        (tmp_path / "config").write_text(CONFIG.format(key=key, **values))
        yield gate, kaditz


def ask(folder: Path, *answers: str) -> tuple[tuple[str, ...], str]:
    """Answer the questions. Return the lines for known_hosts and what is printed."""
    printed, rest = list[str](), iter(answers)
    lines = ask_hosts(Terminal(lambda _: next(rest), write=printed.append), folder / "known_hosts").known_hosts_lines
    return lines, "\n".join(printed)


def test_reads_keys_through_a_jump_host_that_was_confirmed(servers: tuple[Sshd, Sshd], tmp_path: Path) -> None:
    lines, screen = ask(tmp_path, f"{tmp_path}/config kaditz", "kaditz", "yes", "yes")
    assert [f"{line}\n" for line in lines] == [server.known_hosts_line for server in servers]
    assert screen.index("  gate  ") < screen.index("  kaditz  ")
    assert "Accepted publickey" in servers[0].log.read_text()
    assert "Connection from" in servers[1].log.read_text()


def test_asks_only_about_new_keys(servers: tuple[Sshd, Sshd], tmp_path: Path) -> None:
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh/known_hosts").write_text(servers[0].known_hosts_line)
    lines, screen = ask(tmp_path, f"{tmp_path}/config kaditz", "kaditz", "yes")
    assert (len(lines), screen.count("(known)")) == (2, 1)


def test_logs_in_to_no_jump_host_whose_key_is_not_confirmed(servers: tuple[Sshd, Sshd], tmp_path: Path) -> None:
    with pytest.raises(AnswerError, match="Ask the hosts' administrators"):
        ask(tmp_path, f"{tmp_path}/config kaditz", "kaditz", "no")
    gate, kaditz = servers
    assert "Accepted publickey" not in gate.log.read_text()
    assert "Connection from" not in kaditz.log.read_text()
