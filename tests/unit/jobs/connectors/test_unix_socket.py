"""A stream over SSH reports a lost connection as a socket does, whatever paramiko raises."""

from typing import cast

import paramiko
import pytest

from jobs.connectors.ssh_client.unix_socket import ChannelStream


class LostChannel:
    """A channel whose connection is lost while it sends."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def settimeout(self, _: float | None) -> None: ...

    def sendall(self, _: bytes) -> None:
        raise self._error

    def close(self) -> None:
        raise self._error


@pytest.mark.parametrize(
    "error",
    [EOFError(), OSError("Socket is closed"), paramiko.SSHException("not connected")],
    ids=lambda e: type(e).__name__,
)
def test_a_lost_connection_is_a_connection_error(error: Exception) -> None:
    stream = ChannelStream(cast(paramiko.Channel, LostChannel(error)))
    with pytest.raises(ConnectionResetError, match=r"\S"):
        stream.sendall(b"GET /info HTTP/1.1\r\n\r\n")
    stream.close()


def test_a_time_out_stays_a_time_out() -> None:
    stream = ChannelStream(cast(paramiko.Channel, LostChannel(TimeoutError())))
    with pytest.raises(TimeoutError):
        stream.sendall(b"")
