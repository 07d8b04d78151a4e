"""Check how hosts are reached over SSH: from imker.toml, docker-machine's store, and OpenSSH's configuration."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from imker.config import ConfigError
from jobs.connectors.ssh_client.config_file import SshConfigFile
from jobs.inventory.hosts import load_inventory
from jobs.inventory.model import Host, Inventory
from jobs.settings import Settings

GATE = "Host gate\nHostName 203.0.113.1\nUser gatekeeper\nIdentityFile {folder}/gate_key\n"


@dataclass
class Case:
    """An OpenSSH configuration, and what imker.toml adds. `{folder}`: where the key files are."""

    config: str
    hosts: dict[str, dict[str, Any]] = field(default_factory=lambda: {"kaditz": {}})
    inventory: dict[str, Any] = field(default_factory=dict)

    def load(self, folder: Path) -> Inventory:
        for name in ("key", "gate_key", "inner_key", "ca.pem", "cert.pem", "key.pem", "known_hosts"):
            (folder / name).touch(0o600)
        (folder / "config").write_text(self.config.format(folder=folder))
        ssh_config = {"ssh_config": folder / "config"} if self.config else {}
        text = {
            "inventory": {"known_hosts": folder / "known_hosts", **ssh_config, **self.inventory},
            "hosts": {name: {"tls": folder, **section} for name, section in self.hosts.items()},
        }
        return load_inventory(Settings.model_validate(text))


def way(host: Host) -> str:
    """Return the way to a host in one line: user@address:port with the key's name, for each stop."""
    return " > ".join(
        f"{stop.ssh_user}@{stop.address}:{stop.ssh_port} {stop.ssh_key.name if stop.ssh_key else 'agent'}"
        for stop in (*host.jumps, host)
    )


KADITZ = "Host kaditz\nHostName 198.18.0.39\nUser geschke\nIdentityFile {folder}/key\n"
WAYS = {
    "everything from the file": (Case(KADITZ + "Port 2222\n"), "geschke@198.18.0.39:2222 key"),
    "a pattern": (Case(KADITZ.replace("kaditz", "k*z !tondi")), "geschke@198.18.0.39:22 key"),
    "imker.toml decides": (
        Case(KADITZ, {"kaditz": {"ssh_user": "root", "ssh_port": 23, "address": "198.18.0.40"}}),
        "root@198.18.0.40:23 key",
    ),
    "the first key that exists": (
        Case(KADITZ.replace("IdentityFile", "IdentityFile {folder}/none\nIdentityFile")),
        "geschke@198.18.0.39:22 key",
    ),
    "a jump host": (
        Case(KADITZ + "ProxyJump gate\n" + GATE),
        "gatekeeper@203.0.113.1:22 gate_key > geschke@198.18.0.39:22 key",
    ),
    "a jump host with a user and a port": (
        Case(KADITZ + "ProxyJump alice@gate:2200\n" + GATE),
        "alice@203.0.113.1:2200 gate_key > geschke@198.18.0.39:22 key",
    ),
    "a jump host that the file does not name": (
        Case(KADITZ + "ProxyJump alice@[2001:db8::1]:2200\n"),
        "alice@2001:db8::1:2200 key > geschke@198.18.0.39:22 key",
    ),
    "two jump hosts in a row": (
        Case(KADITZ + "ProxyJump gate,inner\n" + GATE),
        "gatekeeper@203.0.113.1:22 gate_key > geschke@inner:22 key > geschke@198.18.0.39:22 key",
    ),
    "a jump host behind a jump host": (
        Case(KADITZ + "ProxyJump inner\nHost inner\nUser in\nProxyJump gate\nIdentityFile {folder}/inner_key\n" + GATE),
        "gatekeeper@203.0.113.1:22 gate_key > in@inner:22 inner_key > geschke@198.18.0.39:22 key",
    ),
    "one jump host for all, also for itself": (
        Case(KADITZ + GATE + "Host *\nProxyJump gate\n"),
        "gatekeeper@203.0.113.1:22 gate_key > geschke@198.18.0.39:22 key",
    ),
    "no jump host for one": (Case(KADITZ + "ProxyJump none\nHost *\nProxyJump gate\n"), "geschke@198.18.0.39:22 key"),
    "a jump host of imker.toml": (
        Case(KADITZ + GATE, {"kaditz": {"ssh_jump": "gate"}}),
        "gatekeeper@203.0.113.1:22 gate_key > geschke@198.18.0.39:22 key",
    ),
    "a jump host of imker.toml for all": (
        Case(KADITZ + GATE, inventory={"ssh_jump": "gate"}),
        "gatekeeper@203.0.113.1:22 gate_key > geschke@198.18.0.39:22 key",
    ),
    "imker.toml without a jump host": (
        Case(KADITZ + "ProxyCommand nc %h %p\n", {"kaditz": {"ssh_jump": "none"}}),
        "geschke@198.18.0.39:22 key",
    ),
    "ProxyJump before ProxyCommand": (
        Case(KADITZ + "ProxyJump none\nProxyCommand nc %h %p\n"),
        "geschke@198.18.0.39:22 key",
    ),
    "a ProxyCommand for another host": (Case(KADITZ + "Host tondi\nProxyCommand x\n"), "geschke@198.18.0.39:22 key"),
    "a Match exec for another host": (
        Case(KADITZ + 'Match host tondi exec "x"\nUser y\n'),
        "geschke@198.18.0.39:22 key",
    ),
    "a Match that runs nothing": (
        Case("Match originalhost kaditz\nUser alice\n" + KADITZ),
        "alice@198.18.0.39:22 key",
    ),
    "a host of the inventory as a jump host": (
        Case(KADITZ + GATE, {"kaditz": {"ssh_jump": "Gate"}, "gate": {"ssh_user": "root", "ssh_port": 24}}),
        "root@203.0.113.1:24 gate_key > geschke@198.18.0.39:22 key",
    ),
    "the agent": (
        Case(KADITZ.replace("IdentityFile", "# "), inventory={"ssh_agent": True}),
        "geschke@198.18.0.39:22 agent",
    ),
}


@pytest.mark.parametrize(("case", "expected"), WAYS.values(), ids=WAYS)
def test_finds_the_way_to_a_host(tmp_path: Path, case: Case, expected: str) -> None:
    assert way(case.load(tmp_path)["kaditz"]) == expected


ABOUT = "[hosts.kaditz] {folder}/config: "
PROBLEMS = {
    "ProxyCommand": (
        Case(KADITZ + "ProxyCommand nc %h %p\n"),
        ABOUT + "it has `ProxyCommand`, and Imker runs no program to reach a host; use `ProxyJump`",
    ),
    "ProxyCommand for all": (
        Case(KADITZ + "Host *\nProxyCommand nc %h %p\nProxyJump gate\n"),
        ABOUT + "it has `ProxyCommand`, and Imker runs no program to reach a host; use `ProxyJump`",
    ),
    "Match exec": (
        Case('Match host kaditz exec "touch {folder}/ran"\nUser x\n' + KADITZ),
        ABOUT + "line 1 has `Match exec`, and Imker runs no program to reach a host; write these settings under `Host`",
    ),
    "Include": (
        Case("Include config.d/*\n" + KADITZ),
        ABOUT + "it includes config.d/*, which Imker does not read; name a file without `Include`",
    ),
    "CanonicalizeHostname": (
        Case("CanonicalizeHostname yes\n" + KADITZ),
        ABOUT + "line 1 has `CanonicalizeHostname`, which Imker does not follow; write full names",
    ),
    "a port that is none": (Case(KADITZ + "Port ssh\n"), ABOUT + "Port ssh is no number"),
    "ProxyCommand of a jump host": (
        Case(KADITZ + "ProxyJump gate\n" + GATE + "ProxyCommand x\n"),
        "[hosts.kaditz] ssh_jump: {folder}/config: about gate: it has `ProxyCommand`, and Imker runs no program to "
        "reach a host; use `ProxyJump`",
    ),
    "a circle": (
        Case(KADITZ + "ProxyJump gate\n" + GATE + "ProxyJump inner\nHost inner\nProxyJump gate\n"),
        "[hosts.kaditz] ssh_jump: the way leads back: kaditz -> gate -> inner -> gate",
    ),
    "no jump host": (
        Case(KADITZ + "ProxyJump gate;reboot\n"),
        "[hosts.kaditz] ssh_jump: 'gate;reboot' is no jump host such as alice@gate.example.org:22",
    ),
    "a port beyond all": (
        Case(KADITZ + "ProxyJump gate:65536\n"),
        "[hosts.kaditz] ssh_jump: 'gate:65536' is no jump host such as alice@gate.example.org:22",
    ),
    "a jump host's key that does not exist": (
        Case(KADITZ + "ProxyJump gate\n" + GATE.replace("gate_key", "none")),
        "[hosts.kaditz] ssh_jump: gate: {folder}/none does not exist",
    ),
    "a passphrase that does not exist": (
        Case(KADITZ, {"kaditz": {"ssh_passphrase": "/none"}}),
        "[hosts.kaditz] ssh_passphrase: /none does not exist",
    ),
    "a certificate that does not exist": (
        Case(KADITZ + "CertificateFile /none\n"),
        "[hosts.kaditz] ssh_certificate: /none does not exist",
    ),
    "no address": (Case(GATE), "[hosts.kaditz] address: missing, also in docker-machine's store"),
    "an unreadable line": (Case(KADITZ + "word\n"), "[inventory] ssh_config: {folder}/config: Unparsable line word"),
    "an open quote": (
        Case(KADITZ + "Match host 'a\n"),
        "[inventory] ssh_config: {folder}/config: No closing quotation",
    ),
}


@pytest.mark.parametrize(("case", "expected"), PROBLEMS.values(), ids=PROBLEMS)
def test_refuses_what_cannot_be_followed(tmp_path: Path, case: Case, expected: str) -> None:
    with pytest.raises(ConfigError) as refused:
        case.load(tmp_path)
    assert expected.format(folder=tmp_path) in refused.value.lines
    assert not (tmp_path / "ran").exists()


def test_a_file_that_does_not_exist_is_a_problem(tmp_path: Path) -> None:
    case = Case("", inventory={"ssh_config": tmp_path / "nowhere"})
    with pytest.raises(ConfigError, match=r"ssh_config: .*/nowhere: No such file or directory"):
        case.load(tmp_path)


WORDS = st.sampled_from(["exec", "!exec", "EXEC", '"exec"', "host", "all", "user", "*", "kaditz", "canonical", "final"])


@given(
    words=st.lists(WORDS, min_size=1, max_size=5), key=st.sampled_from(["Match ", "match\t", "MATCH = ", "  Match  "])
)
@hypothesis_settings(max_examples=300)
def test_no_configuration_runs_a_program(tmp_path_factory: pytest.TempPathFactory, words: list[str], key: str) -> None:
    folder = tmp_path_factory.getbasetemp()
    program = f'"touch {folder}/ran"'
    (folder / "config").write_text(f"{key}{f' {program} '.join(words)} {program}\n\tUser x\nHost *\n")
    try:
        SshConfigFile(folder / "config").find("kaditz")
    except ValueError:
        return
    finally:
        assert not (folder / "ran").exists()


def test_a_key_that_only_another_machine_has_is_left_to_the_agent(tmp_path: Path) -> None:
    machine = tmp_path / "store/machines/kaditz"
    machine.mkdir(parents=True)
    driver = '{"IPAddress": "198.18.0.39", "SSHUser": "geschke", "SSHKeyPath": "/home/alice/.ssh/fleet"}'
    (machine / "config.json").write_text(f'{{"Driver": {driver}}}')
    stored = {"docker_machine": tmp_path / "store", "ssh_agent": True}
    assert way(Case("", inventory=stored).load(tmp_path)["kaditz"]) == "geschke@198.18.0.39:22 agent"
    filled = Case("Host 198.18.*\nIdentityFile {folder}/key\nUser x\nProxyJump gate\n" + GATE, inventory=stored)
    expected = "gatekeeper@203.0.113.1:22 gate_key > geschke@198.18.0.39:22 key"
    assert way(filled.load(tmp_path)["kaditz"]) == expected, "by its address"


@pytest.mark.parametrize(("beside", "expected"), [(True, "key-cert.pub"), (False, None)])
def test_takes_the_certificate_beside_the_key(tmp_path: Path, beside: bool, expected: str | None) -> None:
    if beside:
        (tmp_path / "key-cert.pub").touch()
    certificate = Case(KADITZ).load(tmp_path)["kaditz"].ssh_certificate
    assert (certificate and certificate.name) == expected
