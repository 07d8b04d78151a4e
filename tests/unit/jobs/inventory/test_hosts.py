"""Check the inventory, read from a docker-machine store as the lab writes it."""

import re
from pathlib import Path

import pytest

from imker.config import ConfigError
from jobs import settings
from jobs.inventory import model
from jobs.inventory.hosts import load_inventory
from lab.fleet import client_files
from lab.fleet.hosts import FLEET


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("lab")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(client_files, "KEYS_DIR", folder / "keys")
        client_files.ensure_keys(FLEET)
        client_files.write_client_files(folder / "client", FLEET)
    return folder / "client"


def test_reads_all_eight_hosts(store: Path) -> None:
    hosts = load_inventory(settings.load_settings(store / "imker.toml"))
    assert sorted(hosts) == sorted(host.name for host in FLEET)
    kaditz = hosts["kaditz"]
    assert (kaditz.address, kaditz.ssh_user, kaditz.role, kaditz.server) == (
        "198.18.0.39",
        "geschke",
        "manager",
        "server-3",
    )
    assert kaditz.tls == store / "docker-machine/machines/kaditz"
    assert kaditz.driver == "generic"


def test_shows_the_swarm_column_of_docker_machine(store: Path) -> None:
    hosts = load_inventory(settings.load_settings(store / "imker.toml"))
    column = {name: model.classic_swarm_column(host, hosts) for name, host in hosts.items()}
    assert column == {
        "connewitz": "",
        "lausen": "",
        "miltitz": "miltitz (master)",
        **dict.fromkeys(("kaditz", "lindenau", "pirita", "tolkewitz", "tondi"), "miltitz"),
    }


@pytest.mark.parametrize(
    ("line", "wrong"),
    [
        ('swarm_address = "10.0.0.39"', ""),
        ('swarm_address = "eth1"', "[hosts.kaditz] swarm_address: must be an IPv4 address"),
        ('swarm_address = "198.18.0.73"', "[hosts.kaditz] swarm_address: 198.18.0.73 is the address of tondi"),
    ],
)
def test_a_swarm_address_must_be_unique(store: Path, tmp_path: Path, line: str, wrong: str) -> None:
    text = (store / "imker.toml").read_text().replace("[hosts.kaditz]\n", f"[hosts.kaditz]\n{line}\n")
    (tmp_path / "imker.toml").write_text(text)
    if not wrong:
        kaditz = load_inventory(settings.load_settings(tmp_path / "imker.toml"))["kaditz"]
        assert (kaditz.address, kaditz.advertise_address) == ("198.18.0.39", "10.0.0.39")
        return
    with pytest.raises(ConfigError, match=re.escape(wrong)):
        load_inventory(settings.load_settings(tmp_path / "imker.toml"))


def test_secret_files_are_readable_by_their_owner_only(store: Path) -> None:
    keys = [path for path in store.rglob("*") if path.suffix == ".pem" or path.name.startswith("id_")]
    assert len(keys) > 40
    assert {path.stat().st_mode & 0o077 for path in keys} == {0}
