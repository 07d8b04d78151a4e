"""Check docker-machine stores as they are found: each case of tests/data/machine_stores is one store."""

import tomllib
from pathlib import Path
from typing import Any

import pytest

from imker.config import ConfigError
from jobs.inventory import docker_machine
from jobs.inventory.hosts import load_inventory
from jobs.inventory.model import Host, Inventory, classic_swarm_column
from jobs.settings import InventorySection, Settings

CASES = sorted((Path(__file__).parents[3] / "data/machine_stores").glob("*.toml"))


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_reads_a_store_as_it_is_found(tmp_path: Path, path: Path) -> None:
    case = tomllib.loads(path.read_text())
    settings = write_store(tmp_path / "store", case)
    if case["problems"]:
        with pytest.raises(ConfigError) as rejected:
            load_inventory(settings)
        assert rejected.value.lines == tuple(line.format(store=tmp_path / "store") for line in case["problems"])
        return
    assert described(load_inventory(settings), tmp_path / "store", case["hosts"]) == case["hosts"]


def write_store(store: Path, case: dict[str, Any]) -> Settings:
    """Write the machines and empty files of a case, readable by their owner only."""
    texts = {f"machines/{name}/config.json": machine["config"] for name, machine in case["machines"].items()}
    for name, text in {**texts, **dict.fromkeys(case["files"], "")}.items():
        (store / name).parent.mkdir(parents=True, exist_ok=True)
        (store / name).write_text(text)
        (store / name).chmod(0o600)
    (store / "known_hosts").touch()
    return Settings(inventory=InventorySection(docker_machine=store, known_hosts=store / "known_hosts"))


def described(hosts: Inventory, store: Path, expected: dict[str, Any]) -> dict[str, Any]:
    """Return the expected fields of all hosts, as the case writes them: paths relative to the store."""
    return {
        name: {field: plain(getattr(host, field), store) for field in expected[name]} for name, host in hosts.items()
    }


def plain(value: object, store: Path) -> object:
    if isinstance(value, Path):
        return str(value.relative_to(store))
    return list(value) if isinstance(value, tuple) else value


def test_says_why_a_key_cannot_be_looked_for(tmp_path: Path) -> None:
    case = tomllib.loads((CASES[0].parent / "key-path-missing.toml").read_text())
    settings = write_store(tmp_path / "store", case)
    (tmp_path / "store/machines/kaditz/config.json").write_text(
        f'{{"Driver": {{"IPAddress": "203.0.113.7", "SSHKeyPath": "/{"a" * 300}"}}}}'
    )
    with pytest.raises(ConfigError, match=r"ssh_key: /a+ cannot be read: File name too long"):
        load_inventory(settings)


def test_a_section_of_imker_toml_ignores_the_case_of_the_name(tmp_path: Path) -> None:
    case = tomllib.loads((CASES[0].parent / "upper-case-name.toml").read_text())
    written = write_store(tmp_path / "store", case)
    settings = Settings.model_validate({**written.model_dump(), "hosts": {"Web-01": {"role": "manager"}}})
    hosts = load_inventory(settings)
    assert {name: host.role for name, host in hosts.items()} == {"web-01": "manager"}


@pytest.mark.parametrize("path", [path for path in CASES if path.stem.startswith("discovery-")], ids=lambda p: p.stem)
def test_cleans_the_file_of_every_discovery(path: Path) -> None:
    text = tomllib.loads(path.read_text())["machines"]["kaditz"]["config"]
    edit = docker_machine.cleanup_edit("config.json", text)
    assert edit is not None
    assert docker_machine.parse_store_urls(edit.after) == ()


def test_hosts_of_one_hosted_discovery_have_one_master() -> None:
    token = "token://4e1bd0"
    hosts = {
        "kaditz": Host("kaditz", discovery=token, classic_master=True),
        "tondi": Host("tondi", discovery=token),
    }
    assert [classic_swarm_column(host, hosts) for host in hosts.values()] == ["kaditz (master)", "kaditz"]
