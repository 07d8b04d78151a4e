"""Say why a host cannot be reached over SSH, and what to do."""

from pathlib import Path

import paramiko

from jobs.errors import Unreachable
from jobs.inventory.model import Host

LOST_ERRORS = (paramiko.SSHException, OSError, EOFError)  # EOFError: the connection was reset a moment ago
NO_KEY = "No authentication methods available"  # paramiko's, if the agent has no key at all


def unreachable_error(host: Host, known_hosts: Path, error: Exception) -> Unreachable:
    """Return the error of a failed connection."""
    if isinstance(error, paramiko.BadHostKeyException):
        return Unreachable(
            f"{host.name}'s SSH host key differs from the one in {known_hosts.name}",
            host=host.name,
            hint="If the host was reinstalled, check its key on its console and replace the line. If not, ask why.",
            check="host key",
        )
    if "not found in known_hosts" in str(error):
        return Unreachable(
            f"{host.name}'s SSH host key is unknown",
            host=host.name,
            hint=f"Check the key on the host's console, then add it: `{keyscan_command(host, known_hosts)}`",
            check="host key",
        )
    if isinstance(error, paramiko.AuthenticationException) or NO_KEY in str(error):
        return _refused_key_error(host)
    return Unreachable(
        f"{host.name} ({host.address}) is unreachable over SSH: {error or 'no answer in time'}",
        host=host.name,
        hint="Check that the host is up and that its SSH port is open to Imker.",
        check="SSH",
    )


def keyscan_command(host: Host, known_hosts: Path) -> str:
    """Return the command that adds the host's key. Behind a jump host, it runs there."""
    keyscan = f"ssh-keyscan -p {host.ssh_port} {host.address}"
    if host.jumps:
        jump = host.jumps[-1]
        keyscan = f"ssh -p {jump.ssh_port} {jump.ssh_user}@{jump.address} {keyscan}"
    return f"{keyscan} >> {known_hosts}"


def behind_jump_error(host: Host, jump: Host, error: Unreachable) -> Unreachable:
    """Return the error of a host whose jump host cannot be reached."""
    return Unreachable(
        f"{host.name} is behind the jump host {jump.name}, which failed: {error.summary}",
        host=host.name,
        hint=error.hint,
        check=error.check,
    )


def not_forwarded_error(host: Host, jump: Host, error: Exception) -> Unreachable:
    """Return the error of a host that its jump host does not reach."""
    if isinstance(error, paramiko.ChannelException) and error.code == 1:
        hint = f"Allow it on {jump.name}: AllowTcpForwarding and PermitOpen in its sshd_config."
        reason = "it forwards no connections"
    else:
        hint = f"Check from {jump.name} that the host is up and that its SSH port is open."
        reason = str(error) or "no answer in time"
    return Unreachable(
        f"{host.name} ({host.address}) is unreachable through the jump host {jump.name}: {reason}",
        host=host.name,
        hint=hint,
        check="SSH",
    )


def _refused_key_error(host: Host) -> Unreachable:
    if host.ssh_certificate:
        hint = f"Check the certificate's key, principals, and validity: `ssh-keygen -L -f {host.ssh_certificate}`"
        return Unreachable(
            f"{host.name} refuses {host.ssh_user}'s SSH certificate", host=host.name, hint=hint, check="SSH"
        )
    if host.ssh_key is None:
        hint = "Start the RQ workers with SSH_AUTH_SOCK set, and see with `ssh-add -l` that the agent has the key."
        return Unreachable(
            f"{host.name} accepts no key of the SSH agent for {host.ssh_user}", host=host.name, hint=hint, check="SSH"
        )
    return Unreachable(
        f"{host.name} refuses {host.ssh_user}'s SSH key",
        host=host.name,
        hint=f"Add the public key to {host.ssh_user}'s authorized_keys on {host.name}. If it is an RSA key that is "
        "already there, use an Ed25519 key: OpenSSH before 7.2 does not support today's RSA signatures.",
        check="SSH",
    )
