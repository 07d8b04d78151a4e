"""Load the private key of a host, with its passphrase and its OpenSSH certificate."""

from pathlib import Path

import paramiko
from paramiko.pkey import UnknownKeyType

from jobs.errors import Unreachable
from jobs.inventory.model import Host

ENCRYPTED_HINT = "Write its passphrase into a file that only you can read, and set ssh_passphrase to that file."


def load_key(host: Host) -> paramiko.PKey | None:
    """Return the key, None if only the SSH agent has one.

    With paramiko's own key search, an error would not show that the host refused the key.
    """
    if host.ssh_key is None:
        return None
    key = _load_private_key(host, host.ssh_key)
    if host.ssh_certificate:
        _add_certificate(host, key, host.ssh_certificate)
    return key


def _load_private_key(host: Host, path: Path) -> paramiko.PKey:
    passphrase = _read_passphrase(host)
    try:
        return _open_key(path, passphrase)
    except TypeError as error:
        raise _error(host, path, "it has a passphrase", ENCRYPTED_HINT) from error
    except OSError as error:
        raise _error(host, path, error.strerror or str(error)) from error
    except (ValueError, paramiko.SSHException, UnknownKeyType) as error:
        if passphrase is not None and _needs_passphrase(path):
            reason = f"the passphrase in {host.ssh_passphrase} does not open it"
            raise _error(host, path, reason, "Correct the passphrase in that file.") from error
        raise _error(host, path, "it is not a private key of a known type") from error


def _open_key(path: Path, passphrase: bytes | None) -> paramiko.PKey:
    """Load the key. Raise TypeError if it needs a passphrase. One that it does not need is ignored."""
    try:
        return paramiko.PKey.from_path(path, passphrase)  # type: ignore[arg-type]  # bytes, whatever the stubs say
    except TypeError:
        if passphrase is None:
            raise
        return paramiko.PKey.from_path(path)


def _needs_passphrase(path: Path) -> bool:
    try:
        _open_key(path, None)
    except TypeError:
        return True
    except (ValueError, OSError, paramiko.SSHException, UnknownKeyType):
        return False
    return False


def _read_passphrase(host: Host) -> bytes | None:
    if host.ssh_passphrase is None:
        return None
    try:
        return host.ssh_passphrase.read_bytes().rstrip(b"\r\n")
    except OSError as error:
        raise _error(host, host.ssh_passphrase, error.strerror or str(error)) from error


def _add_certificate(host: Host, key: paramiko.PKey, certificate: Path) -> None:
    try:
        key.load_certificate(str(certificate))
    except (OSError, ValueError, IndexError, paramiko.SSHException) as error:
        hint = f"Check it with: ssh-keygen -L -f {certificate}"
        raise _error(host, certificate, f"it is not a certificate of the key {host.ssh_key}", hint) from error


def _error(host: Host, path: Path, reason: str, hint: str = "Use a private key from ssh-keygen.") -> Unreachable:
    return Unreachable(
        f"{host.name} cannot be reached with the SSH key {path}: {reason}", host=host.name, hint=hint, check="SSH"
    )
