"""The client files of an Imker user: docker-machine's store, an SSH key, known_hosts, an `imker.toml`.

Written to a folder, by default `.lab/` in the working directory. Keys are created once and reused.
"""

import json
import shutil
from collections.abc import Iterable
from pathlib import Path

from lab.fleet.certificates import CertificateWithKey, create_authority, issue_certificate
from lab.fleet.daemon_option_files import LABELS
from lab.fleet.hosts import LabHost
from lab.fleet.shell import STATE_DIR, LabError, sh

KEYS_DIR = STATE_DIR / "keys"
HEADER, MARK = "# Written by the lab.", ".imker-lab"  # first line of the lab's imker.toml, and a file in its folder
WRITTEN = ("imker.toml", "docker-machine", "known_hosts", "ssh")


def write_client_files(folder: Path, hosts: Iterable[LabHost], keys: Path = KEYS_DIR) -> None:
    """Write the files for these hosts and replace earlier ones.

    Raises LabError for files that the lab did not write.
    """
    check(folder)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    (folder / MARK).touch()
    hosts = tuple(hosts)
    shutil.rmtree(folder / "docker-machine", ignore_errors=True)
    _write_secret(folder / "ssh/id_ed25519", (keys / "ssh/id_ed25519").read_text())
    for host in hosts:
        _write_machine(folder / "docker-machine", host, keys)
    (folder / "known_hosts").write_text("".join(_known_hosts_line(host, keys) for host in hosts))
    (folder / "imker.toml").write_text(_imker_config(folder.resolve(), hosts))


def check(folder: Path) -> None:
    """Raise LabError if someone else's files would be replaced, such as the store of a real docker-machine."""
    config = folder / "imker.toml"
    lab_config = config.exists() and config.read_text(errors="replace").startswith(HEADER)
    is_lab_folder = (folder / MARK).exists() or lab_config
    foreign_files = [name for name in WRITTEN if (folder / name).exists() and not is_lab_folder]
    foreign_files += ["imker.toml"] if config.exists() and not lab_config and is_lab_folder else []
    if foreign_files:
        raise LabError(f"{folder} has {', '.join(foreign_files)}, which the lab did not write; choose another folder")


def ensure_keys(hosts: Iterable[LabHost], keys: Path = KEYS_DIR) -> None:
    """Create missing keys: an SSH key for the user, one for each host, the CA, and certificates."""
    _ensure_ssh_key(keys / "ssh/id_ed25519", "geschke@connewitz")
    if not (keys / "ca.pem").exists():
        _write_pair(keys, "ca", create_authority("connewitz"))
    if not (keys / "client.pem").exists():
        _write_pair(keys, "client", issue_certificate(_load_authority(keys), "connewitz.<bootstrap>"))
    for host in hosts:
        _ensure_ssh_key(host_key_path(host, keys), host.name)
        if not (keys / host.name / "server.pem").exists():
            _write_pair(
                keys / host.name,
                "server",
                issue_certificate(_load_authority(keys), f"connewitz.{host.name}", host.address),
            )


def host_key_path(host: LabHost, keys: Path = KEYS_DIR) -> Path:
    return keys / host.name / "ssh_host_ed25519_key"


def _known_hosts_line(host: LabHost, keys: Path) -> str:
    """Return the known_hosts line of a host."""
    kind, key = host_key_path(host, keys).with_suffix(".pub").read_text().split()[:2]
    address = host.address if host.ssh_port == 22 else f"[{host.address}]:{host.ssh_port}"
    return f"{address} {kind} {key}\n"


def _load_authority(keys: Path) -> CertificateWithKey:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import rsa
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    key = load_pem_private_key((keys / "ca-key.pem").read_bytes(), None)
    assert isinstance(key, rsa.RSAPrivateKey)
    return CertificateWithKey(x509.load_pem_x509_certificate((keys / "ca.pem").read_bytes()), key)


def _write_pair(folder: Path, name: str, certificate: CertificateWithKey) -> None:
    _write_secret(folder / f"{name}-key.pem", certificate.key_pem)
    _write_secret(folder / f"{name}.pem", certificate.pem)


def _ensure_ssh_key(path: Path, comment: str) -> None:
    public = path.with_suffix(".pub")
    if not public.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.unlink(missing_ok=True)
        sh("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", path)


def _write_secret(path: Path, text: str) -> None:
    """Write a file atomically, also if the lab is killed meanwhile."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    new_path = path.with_name(f"{path.name}.new")
    new_path.touch(mode=0o600)
    new_path.chmod(0o600)
    new_path.write_text(text)
    new_path.replace(path)


def _write_machine(store: Path, host: LabHost, keys: Path) -> None:
    machine = store / "machines" / host.name
    sources = {"ca.pem": "ca.pem", "cert.pem": "client.pem", "key.pem": "client-key.pem"}
    host_sources = {"server.pem": f"{host.name}/server.pem", "server-key.pem": f"{host.name}/server-key.pem"}
    for name, source in {**sources, **host_sources}.items():
        _write_secret(machine / name, (keys / source).read_text())
    for name, source in sources.items():
        _write_secret(store / "certs" / name, (keys / source).read_text())
    (machine / "config.json").write_text(json.dumps(_machine_config(store.resolve(), host), indent=4))


def _machine_config(store: Path, host: LabHost) -> dict[str, object]:
    """Return a config.json as docker-machine 0.8 writes it, with the classic Swarm in both of its places."""
    machine = store / "machines" / host.name
    swarm = {
        "IsSwarm": host.in_classic_swarm,
        "Address": "",
        "Discovery": host.store_url if host.in_classic_swarm else "",
        "Agent": host.in_classic_swarm,
        "Master": host.classic_role == "master",
        "Host": "tcp://0.0.0.0:3376",
        "Image": "swarm:latest",
        "Strategy": "spread",
    }
    flags = [f"{key}={value}" for key, value in host.cluster_options.items()] if host.in_classic_swarm else []
    paths = {f"{name}Path": str(machine / file) for name, file in (("CaCert", "ca.pem"), ("ClientCert", "cert.pem"))}
    return {
        "ConfigVersion": 3,
        "Driver": {
            "IPAddress": host.address,
            "MachineName": host.name,
            "SSHUser": "geschke",
            "SSHPort": host.ssh_port,
            "SSHKeyPath": str(store.parent / "ssh/id_ed25519"),
            "StorePath": str(store),
            "SwarmMaster": host.classic_role == "master",
            "SwarmHost": "tcp://0.0.0.0:3376",
            "SwarmDiscovery": host.store_url if host.in_classic_swarm else "",
            "EnginePort": 2376,
        },
        "DriverName": "generic",
        "HostOptions": {
            "Driver": "",
            "EngineOptions": {"ArbitraryFlags": flags, "Labels": [LABELS[0]], "TlsVerify": True, "InstallURL": ""},
            "SwarmOptions": swarm,
            "AuthOptions": {**paths, "ClientKeyPath": str(machine / "key.pem"), "StorePath": str(machine)},
        },
        "Name": host.name,
    }


def _imker_config(folder: Path, hosts: tuple[LabHost, ...]) -> str:
    sections = "".join(map(_host_section, hosts))
    return f"""\
{HEADER}
[slack]
channels = ["C01OPS"]
per_minute = 1000

[rights]
read = ["*"]
change = ["U01ALICE"]
accept = ["U02BOB"]
accept_own = false

[inventory]
docker_machine = "{folder}/docker-machine"
known_hosts = "{folder}/known_hosts"

[engine]
package = "docker.io"
version = "26.1*"
apt_list = "/etc/apt/sources.list.d/docker.list"
apt_component = {{ from = "main", to = "experimental" }}
{sections}"""


def _host_section(host: LabHost) -> str:
    port = "" if host.ssh_port == 22 else f"ssh_port = {host.ssh_port}\n"
    engine = "" if host.engine_over == "tls" else f'engine_over = "{host.engine_over}"\n'
    return f'\n[hosts.{host.name}]\nrole = "{host.role}"\nserver = "{host.server}"\n{port}{engine}'
