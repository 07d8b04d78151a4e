"""Set up a host in its 2016 state. Pure, except for the last function.

The daemon runs without the cluster options, but the disk has them: Debian's 20.10 would not start with them, and
neither would a current Engine. Old fleets are found like this: the next restart would fail.
"""

import base64
import hashlib
from pathlib import Path

from lab.fleet import daemon_option_files
from lab.fleet.client_files import KEYS_DIR, host_key_path
from lab.fleet.hosts import APPLICATIONS, BY_NAME, IMAGES, REPOSITORY, LabHost

# A client that connects before dockerd has taken over the socket from systemd hangs, hence short timeouts.
WAIT_FOR_DOCKER = "for try in $(seq 100); do timeout 1 docker version >/dev/null 2>&1 && break; sleep 0.1; done"


def machine_id(host: LabHost) -> str:
    """Return an ID of the host's own. An empty file would take the ID of the machine that the lab runs on."""
    return hashlib.sha256(host.name.encode()).hexdigest()[:32]


def files_before_boot(host: LabHost) -> dict[str, tuple[str, int]]:
    """Return path -> (text, mode) of the files at boot, still without the options of the classic Swarm."""
    key = (KEYS_DIR / "ssh/id_ed25519.pub").read_text()
    hosts_lines = "".join(f"{other.address} {other.name}\n" for other in BY_NAME.values())
    network = f"[Match]\nName=host0\n[Network]\nAddress={host.address}/24\nLinkLocalAddressing=no\nIPv6AcceptRA=no\n"
    source = f"deb [trusted=yes] {REPOSITORY} bookworm main\n"
    tls = {"ca.pem": "ca.pem", "server.pem": f"{host.name}/server.pem", "server-key.pem": f"{host.name}/server-key.pem"}
    return {
        "/etc/hostname": (f"{host.name}\n", 0o644),
        "/etc/hosts": (f"127.0.0.1 localhost\n{hosts_lines}", 0o644),
        "/etc/machine-id": (f"{machine_id(host)}\n", 0o444),
        "/etc/systemd/network/10-host0.network": (network, 0o644),
        "/etc/apt/sources.list.d/docker.list": (source, 0o644),
        "/etc/ssh/ssh_host_ed25519_key": (host_key_path(host).read_text(), 0o600),
        "/etc/ssh/ssh_host_ed25519_key.pub": (host_key_path(host).with_suffix(".pub").read_text(), 0o644),
        "/home/geschke/.ssh/authorized_keys": (key, 0o644),
        **{f"/etc/docker/{name}": ((KEYS_DIR / source).read_text(), 0o600) for name, source in tls.items()},
        **{path: (text, 0o644) for path, text in daemon_option_files.option_files(host, classic=False).items()},
    }


def setup_script(host: LabHost) -> str:
    """Return the script for the booted host: tag the image, run the containers, write the options of 2016."""
    tag_commands = "\n".join(f"docker tag {IMAGES[0]} {image}" for image in IMAGES[1:])
    run_commands = "\n".join(
        f"docker run -d --name {name} {arguments} {image} /idle >/dev/null"
        for name, image, arguments in (*APPLICATIONS, *host.classic_containers)
    )
    write_commands = "\n".join(
        f"mkdir -p $(dirname {path}); echo {base64.b64encode(text.encode()).decode()} | base64 -d > {path}"
        for path, text in daemon_option_files.option_files(host, classic=True).items()
    )
    load_command = f"docker import - {IMAGES[0]} < /image.tar >/dev/null"
    return "\n".join(
        (
            "set -e",
            WAIT_FOR_DOCKER,
            load_command,
            tag_commands,
            run_commands,
            write_commands,
            "systemctl daemon-reload",
            "",
        )
    )


def write_files(root: Path, files: dict[str, tuple[str, int]], image: Path) -> None:
    for path, (text, mode) in files.items():
        target = root / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.unlink(missing_ok=True)
        target.write_text(text)
        target.chmod(mode)
    (root / "image.tar").write_bytes(image.read_bytes())
