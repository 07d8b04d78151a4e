"""A simulated host's SSH server: its own host key, one user with one key, commands without a terminal."""

import contextlib
import logging
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import paramiko
from paramiko import common

from lab.simulated.commands import typed
from lab.simulated.machine import Machine

USER, LOG = "geschke", "lab.simulated.ssh"
EXACT = "surrogateescape"  # bytes that are no UTF-8 go to the disk and back as they are
PIECE = 2**16  # bytes
WAIT = 0.1  # seconds between two looks whether a silent host speaks again


class Line:
    """A caller's socket that falls silent with its host: nothing comes, nothing goes, and nobody is told."""

    def __init__(self, caller: socket.socket, silent: threading.Event) -> None:
        self._caller = caller
        self._silent = silent

    def recv(self, size: int) -> bytes:
        self._speak()
        return self._caller.recv(size)

    def send(self, data: bytes) -> int:
        self._speak()
        return self._caller.send(data)

    def _speak(self) -> None:
        if self._silent.is_set():
            time.sleep(WAIT)
            raise TimeoutError

    def __getattr__(self, name: str) -> Any:
        return getattr(self._caller, name)


class _Server(paramiko.ServerInterface):
    def __init__(self, machine: Machine, key: paramiko.PKey, source: str) -> None:
        self._machine = machine
        self._key = key
        self._source = source

    def get_allowed_auths(self, username: str) -> str:
        return "publickey"

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        known = username == USER and key == self._key
        return common.AUTH_SUCCESSFUL if known else common.AUTH_FAILED

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return common.OPEN_SUCCEEDED if kind == "session" else common.OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        work = (channel, command.decode(errors=EXACT))
        threading.Thread(target=self._run, args=work, name=f"ssh {self._machine.name}", daemon=True).start()
        return True

    def _run(self, channel: paramiko.Channel, line: str) -> None:
        """Begins at the end of its input; goes on when its connection is gone, only nobody hears of it."""
        stdin = channel.makefile("rb").read().decode(errors=EXACT)
        said = typed(self._machine, line, stdin, self._source)
        with contextlib.suppress(OSError, EOFError, paramiko.SSHException):
            _send(channel.sendall, said.out.encode(errors=EXACT))
            _send(channel.sendall_stderr, said.err.encode(errors=EXACT))
            channel.send_exit_status(said.code)
            channel.shutdown_write()
            channel.close()


def _send(sendall: Callable[[bytes], None], said: bytes) -> None:
    """Piece by piece: paramiko copies what is left for every packet."""
    for start in range(0, len(said), PIECE):
        sendall(said[start : start + PIECE])


def serve(machine: Machine, host_key: Path, user_key: Path, caller: socket.socket, source: str) -> None:
    """One connection, until it ends."""
    transport = paramiko.Transport(Line(caller, machine.silent))  # type: ignore[arg-type]
    logging.getLogger(LOG).setLevel(logging.CRITICAL)  # a cut is no news: it was asked for
    transport.set_log_channel(LOG)
    transport.add_server_key(paramiko.Ed25519Key.from_private_key_file(str(host_key)))
    key = paramiko.Ed25519Key.from_private_key_file(str(user_key))
    over = threading.Event()
    try:
        transport.start_server(over, _Server(machine, key, source))
        transport.join()
    except (paramiko.SSHException, OSError, EOFError):
        return
    finally:
        transport.close()
