"""Reach the Engine of a host through its SSH connection: by the Docker socket, or else by the docker command.

The socket needs a user in the group `docker`, or root, and no program. The command needs sudo and `docker` 18.09.
"""

import paramiko

from jobs.connectors.engine_transport import remaining_seconds
from jobs.connectors.shell import sudo
from jobs.connectors.ssh_client.unix_socket import STREAM_LOCAL, ChannelStream

PROHIBITED = 1  # "administratively prohibited"
DIAL_STDIO = sudo("docker", "system", "dial-stdio")


class EngineAccess:
    """The way to the Engine of one host. It remembers that a host forwards no sockets."""

    def __init__(self) -> None:
        self._forwards = True

    def connect(self, transport: paramiko.Transport, deadline: float) -> ChannelStream:
        """Return a stream to the Engine. Raise SSHException or OSError. `deadline`: in time.monotonic()."""
        if self._forwards:
            try:
                return ChannelStream(transport.open_channel(STREAM_LOCAL, timeout=remaining_seconds(deadline)))
            except paramiko.ChannelException as error:
                # Otherwise the user may not use the socket, or the Engine is down, which may change.
                self._forwards = error.code != PROHIBITED
        channel = transport.open_session(timeout=remaining_seconds(deadline))
        channel.settimeout(remaining_seconds(deadline))
        channel.exec_command(DIAL_STDIO.line)
        return ChannelStream(channel, runs_command=True)
