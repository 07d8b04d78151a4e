"""Start OpenSSH's own server on loopback, with keys of its own, for the user who runs the tests.

Without `sshd` on this machine, Debian's package is unpacked into a cache: nothing is installed.
"""

import getpass
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from jobs.inventory.model import Host
from lab.slack.server_process import free_port

CACHE = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser() / "imker-sshd"
START_TIMEOUT = 10  # seconds
USER_OF_SSHD = "sshd:x:65533:65534::/run/sshd:/usr/sbin/nologin\n"
# sshd started by root needs a user `sshd` and a folder; both exist only in this mount namespace.
AS_ROOT = """\
mount -t tmpfs tmpfs /run && mkdir -m 755 /run/sshd && mount --bind "$1" /etc/passwd && shift && exec "$@"
"""


@dataclass(frozen=True)
class Sshd:
    """A running server. `host`: how to reach it. `known_hosts_line`: its key."""

    host: Host
    known_hosts_line: str
    log: Path


def make_key(path: Path, *options: str, passphrase: str = "") -> Path:
    """Create a key with ssh-keygen, and return its path."""
    run("ssh-keygen", "-q", "-t", "ed25519", "-N", passphrase, *options, "-f", str(path))
    return path


def sign_key(authority: Path, key: Path, *options: str) -> Path:
    """Sign a user's key, and return the path of the certificate."""
    run("ssh-keygen", "-q", "-s", str(authority), "-I", "imker", "-n", getpass.getuser(), *options, f"{key}.pub")
    return key.with_name(f"{key.name}-cert.pub")


@contextmanager
def start_sshd(folder: Path, name: str, user_key: Path, *lines: str) -> Iterator[Sshd]:
    """Run a server that lets `user_key` in. `lines`: more of its configuration."""
    home = folder / name
    home.mkdir()
    host_key, port = make_key(home / "host_key"), free_port()
    shutil.copy(f"{user_key}.pub", home / "authorized_keys")
    (home / "sshd_config").write_text(_configuration(home, port, lines))
    with (home / "log").open("w") as log:
        process = subprocess.Popen(_command(home), env=_environment(), stdout=log, stderr=log)
    host = Host(name, "127.0.0.1", ssh_user=getpass.getuser(), ssh_port=port, ssh_key=user_key)
    kind, key = host_key.with_suffix(".pub").read_text().split()[:2]
    try:
        _wait_until_listening(process, home / "log")
        yield Sshd(host, f"[127.0.0.1]:{port} {kind} {key}\n", home / "log")
    finally:
        process.terminate()
        process.wait(START_TIMEOUT)


def known_hosts(folder: Path, *servers: Sshd) -> Path:
    """Write a known_hosts with the keys of these servers."""
    path = folder / "known_hosts"
    path.write_text("".join(server.known_hosts_line for server in servers))
    return path


def behind(host: Host, *jumps: Host) -> Host:
    """Return the host with these jump hosts."""
    return replace(host, jumps=jumps)


def run(*command: str) -> None:
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)


def _configuration(home: Path, port: int, lines: tuple[str, ...]) -> str:
    fixed = [
        *lines,  # the first value of a setting counts
        f"Port {port}",
        "ListenAddress 127.0.0.1",
        f"HostKey {home / 'host_key'}",
        f"AuthorizedKeysFile {home / 'authorized_keys'}",
        "PidFile none",
        "StrictModes no",
        "UsePAM no",
        "PermitRootLogin yes",
        "PasswordAuthentication no",
        "KbdInteractiveAuthentication no",
        "LogLevel VERBOSE",
    ]
    return "\n".join(fixed) + "\n"


def _command(home: Path) -> list[str]:
    server = [str(_find_sshd()), "-D", "-e", "-f", str(home / "sshd_config")]
    if os.geteuid():
        return server
    users = home / "passwd"
    users_text = Path("/etc/passwd").read_text()
    users.write_text(users_text if "\nsshd:" in users_text else users_text + USER_OF_SSHD)
    return ["unshare", "--mount", "sh", "-c", AS_ROOT, "sh", str(users), *server]


def _environment() -> dict[str, str]:
    libraries = ":".join(str(folder) for folder in CACHE.glob("unpacked/usr/lib/*-linux-*"))
    return {"PATH": os.environ["PATH"], "LD_LIBRARY_PATH": libraries}


def _find_sshd() -> Path:
    """Return the server's path: sshd starts itself again, so it must be absolute."""
    installed = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin")
    return Path(installed) if installed else _unpacked_sshd()


def _unpacked_sshd() -> Path:
    """Return the server from Debian's package, unpacked once."""
    if not (CACHE / "unpacked").exists():
        if not shutil.which("apt-get"):
            raise RuntimeError("install OpenSSH's server: these tests start one on loopback")
        CACHE.mkdir(parents=True, exist_ok=True)
        work = CACHE / f"unfinished-{os.getpid()}"
        work.mkdir(exist_ok=True)
        subprocess.run(("apt-get", "-qq", "download", "openssh-server", "libwrap0"), cwd=work, check=True)
        for package in work.glob("*.deb"):
            run("dpkg", "-x", str(package), str(work))
            package.unlink()
        with suppress(OSError):  # another worker was faster
            work.rename(CACHE / "unpacked")
        shutil.rmtree(work, ignore_errors=True)
    return CACHE / "unpacked/usr/sbin/sshd"


def _wait_until_listening(process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT
    while "Server listening" not in log.read_text():
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"sshd did not start: {log.read_text()}")
        time.sleep(0.02)
