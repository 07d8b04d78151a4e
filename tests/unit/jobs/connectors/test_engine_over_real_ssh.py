"""Reach an Engine through OpenSSH's own server: by its socket, or by `docker system dial-stdio`."""

import socket as sockets
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from jobs.connectors.engine import Engine
from jobs.connectors.engine_opener import EngineOpener
from jobs.connectors.shared_shells import SharedShells, share_shells
from jobs.connectors.shell import command
from jobs.connectors.ssh import SshShell
from jobs.connectors.ssh_client.unix_socket import StreamLocalTransport
from jobs.errors import NoAnswer, Unreachable
from jobs.inventory.model import Host
from tests.support.engine_socket import engine_at, write_commands
from tests.support.sshd import Sshd, known_hosts, make_key, start_sshd

pytestmark = pytest.mark.processes
NO_FORWARDING = "AllowStreamLocalForwarding no"


@pytest.fixture(scope="module")
def socket(redis_folder: Path) -> Iterator[Path]:
    with engine_at(redis_folder / "engine.sock") as path:
        yield path


@pytest.fixture(scope="module", params=["by its socket", "by the docker command"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, socket: Path) -> Iterator[Sshd]:
    folder = tmp_path_factory.mktemp("sshd")
    commands = write_commands(folder / "bin", socket)
    lines = [NO_FORWARDING] if request.param == "by the docker command" else []
    path = f"SetEnv PATH={commands}:/usr/bin:/bin"
    with start_sshd(folder, "kaditz", make_key(folder / "key"), path, *lines) as server:
        yield replace(server, host=replace(server.host, engine_over="ssh"))


@pytest.fixture
def shells(server: Sshd, socket: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SharedShells]:
    monkeypatch.setattr(StreamLocalTransport, "unix_socket", str(socket))
    known_hosts_file = known_hosts(tmp_path, server)

    def connect(host: Host) -> SshShell:
        return SshShell(host, known_hosts_file)

    with share_shells(connect) as shells:
        yield shells


def test_reads_and_changes_an_engine(server: Sshd, shells: SharedShells) -> None:
    engine = EngineOpener(Engine, shells)(server.host)
    assert engine.version["Version"] == "26.1.5"
    assert [engine.info()["Driver"] for _ in range(3)] == ["overlay2"] * 3
    engine.leave()  # its connection is closed with the answer
    assert engine.info()["Driver"] == "overlay2"


def test_needs_one_login_for_commands_and_engines(server: Sshd, shells: SharedShells) -> None:
    before = server.log.read_text().count("Accepted publickey")
    for _ in range(5):
        EngineOpener(Engine, shells)(server.host).info()
    with shells.open(server.host) as shell:
        shell.run(command("true"))
    assert server.log.read_text().count("Accepted publickey") == before + 1


def test_says_why_an_engine_does_not_answer(server: Sshd, shells: SharedShells, socket: Path) -> None:
    hidden = socket.rename(socket.with_name("hidden"))
    try:
        with pytest.raises(Unreachable, match="over SSH: Cannot connect to the Docker daemon"):
            EngineOpener(Engine, shells)(server.host)
    finally:
        hidden.rename(socket)
    assert EngineOpener(Engine, shells)(server.host).version["Version"] == "26.1.5", "on the same connection"


def test_a_silent_engine_costs_its_own_time_only(server: Sshd, shells: SharedShells, socket: Path) -> None:
    hidden = socket.rename(socket.with_name("hidden"))
    try:
        with sockets.socket(sockets.AF_UNIX) as silent:
            silent.bind(str(socket))
            silent.listen()
            began = time.monotonic()
            with pytest.raises(NoAnswer, match="over SSH: timed out"):
                EngineOpener(Engine, shells)(server.host, timeout=1)
            assert time.monotonic() - began < 10
    finally:
        socket.unlink()
        hidden.rename(socket)
