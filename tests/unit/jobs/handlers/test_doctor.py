"""Check the RQ workers' doctor: the inventory, expiring certificates, reachable and unreachable hosts."""

import re
from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from imker.protocol.values import Finding
from jobs.connectors.shell import Command, sudo
from jobs.errors import CommandFailed, Unreachable
from jobs.handlers import doctor
from jobs.inventory import certificates
from jobs.inventory.model import Host
from lab.fleet.certificates import VALIDITY_DAYS, create_authority, issue_certificate

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ0FWlPRHQWHdQYJ4YDQ6vTIEjVpn0wBy1Fd4ECfMLhr"


def now() -> datetime:
    """Return the time after the certificates were created, from which they are valid."""
    return datetime.now(UTC)


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tls")
    ca = create_authority("test")
    client = issue_certificate(ca, "client")
    for name, text in (("ca.pem", ca.pem), ("cert.pem", client.pem), ("key.pem", client.key_pem)):
        (folder / name).write_text(text)
        (folder / name).chmod(0o600)
    return folder


def levels(findings: tuple[Finding, ...]) -> list[tuple[str, str]]:
    assert all(bool(finding.hint) is (finding.level != "pass") for finding in findings)
    return [(finding.level, re.split(" on | before ", finding.text)[0]) for finding in findings]


# --- certificates --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("days", "expected"),
    [
        (0, [("pass", "ca.pem expires"), ("pass", "cert.pem expires")]),
        (VALIDITY_DAYS - 31, [("pass", "ca.pem expires"), ("pass", "cert.pem expires")]),
        (VALIDITY_DAYS - 29, [("warn", "ca.pem expires"), ("warn", "cert.pem expires")]),
        (VALIDITY_DAYS + 1, [("block", "ca.pem expired"), ("block", "cert.pem expired")]),
        (-1, [("block", "ca.pem is not valid"), ("block", "cert.pem is not valid")]),
    ],
)
def test_reports_certificate_expiry(tls: Path, days: int, expected: list[tuple[str, str]]) -> None:
    assert levels(certificates.check_certificates("kaditz", tls, now() + timedelta(days=days))) == expected


def test_reports_a_key_that_does_not_match_or_is_readable(tls: Path, tmp_path: Path) -> None:
    for name in ("ca.pem", "cert.pem", "key.pem"):
        (tmp_path / name).write_text((tls / name).read_text())
    (tmp_path / "key.pem").write_text(create_authority("another").key_pem)
    (tmp_path / "key.pem").chmod(0o644)
    findings = certificates.check_certificates("kaditz", tmp_path, now())
    assert levels(findings)[2:] == [
        ("block", "key.pem does not match cert.pem"),
        ("warn", "key.pem is readable by other users"),
    ]


@pytest.mark.parametrize("text", ["", "nonsense", "-----BEGIN CERTIFICATE-----\nMIIE\n-----END CERTIFICATE-----\n"])
@pytest.mark.parametrize("name", ["ca.pem", "cert.pem", "key.pem"])
def test_reports_malformed_files_without_their_text(tls: Path, tmp_path: Path, name: str, text: str) -> None:
    for other in ("ca.pem", "cert.pem", "key.pem"):
        (tmp_path / other).write_text((tls / other).read_text() if other != name else text)
    (finding,) = certificates.check_certificates("kaditz", tmp_path, now())
    assert (finding.level, finding.text) == ("block", "cannot be read (ValueError)")


def test_reports_missing_files(tmp_path: Path) -> None:
    (finding,) = certificates.check_certificates("kaditz", tmp_path, now())
    assert finding.text == "cannot be read (FileNotFoundError)"


# --- the inventory -------------------------------------------------------------------------------------------------


def host(name: str, address: str, role: Any = "worker") -> Host:
    return Host(name, address, role=role)


@pytest.mark.parametrize(
    ("hosts", "expected"),
    [
        ([host("a", "198.18.0.1", "manager"), host("b", "198.18.0.2")], [("pass", "2 hosts")]),
        ([host("a", "198.18.0.1"), host("b", "198.18.0.1")], [("block", "a, b have the same address, 198.18.0.1")]),
        ([host("a", "198.18.0.1"), replace(host("b", "198.18.0.1"), ssh_port=2222)], [("pass", "2 hosts")]),
        (
            [host("a", "198.18.0.1", "manager"), host("b", "198.18.0.2", "manager")],
            [("warn", "2 managers (a, b) survive no more failures than 1")],
        ),
    ],
)
def test_checks_the_inventory_as_a_whole(hosts: list[Host], expected: list[tuple[str, str]]) -> None:
    assert levels(doctor.check_inventory(hosts)) == expected


# --- hosts ---------------------------------------------------------------------------------------------------------


class Fleet:
    """Hosts as a test configures them."""

    def __init__(self, unreachable: tuple[str, ...] = (), no_sudo: tuple[str, ...] = ()) -> None:
        self.unreachable, self.no_sudo = unreachable, no_sudo

    def shell(self, host: Host) -> Any:
        if host.name in self.unreachable:
            raise Unreachable(f"{host.name} does not answer over SSH", hint="See that the host is up.")
        return nullcontext(self._Shell(host.name in self.no_sudo))

    def connect(self, host: Host, timeout: float = 10) -> Any:
        if host.name in self.unreachable:
            raise Unreachable(f"{host.name}'s Engine does not answer")
        return type("Engine", (), {"version": {"Version": "26.1.5"}})()

    class _Shell:
        def __init__(self, refuses: bool) -> None:
            self.refuses = refuses

        def run(self, command: Command) -> None:
            assert command == sudo("true", timeout=20), "a look changes nothing"
            if self.refuses:
                raise CommandFailed("kaditz", "true", 1, "sudo: a password is required")


@pytest.mark.parametrize(
    ("world", "is_known", "expected"),
    [
        (Fleet(), True, {("pass", "SSH to kaditz"), ("pass", "Engine of kaditz")}),
        (Fleet(unreachable=("kaditz",)), True, {("block", "SSH to kaditz"), ("block", "Engine of kaditz")}),
        (Fleet(no_sudo=("kaditz",)), True, {("block", "SSH to kaditz"), ("pass", "Engine of kaditz")}),
        (Fleet(), False, {("block", "host key of kaditz"), ("pass", "SSH to kaditz"), ("pass", "Engine of kaditz")}),
    ],
)
def test_checks_each_host(
    tls: Path,
    tmp_path: Path,
    world: Fleet,
    is_known: bool,
    expected: set[tuple[str, str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("IMKER_AUDIT_KEY", "key")
    lines = tmp_path / "known_hosts"
    lines.write_text(f"198.18.0.39 {KEY}\n" if is_known else f"198.18.0.1 {KEY}\n")
    findings = doctor.run_checks({"kaditz": Host("kaditz", "198.18.0.39", tls=tls)}, lines, world.shell, world.connect)
    assert {(f.level, f.check) for f in findings if f.check not in ("TLS of kaditz", "inventory")} == expected
    assert all(finding.hint for finding in findings if finding.level != "pass")


def test_host_key_of_another_port_has_its_own_line(tmp_path: Path) -> None:
    lines = tmp_path / "known_hosts"
    lines.write_text(f"[198.18.0.39]:2222 {KEY}\n")
    findings = [list(doctor._check_files(Host("kaditz", "198.18.0.39", ssh_port=port), lines)) for port in (2222, 22)]
    assert [len(each) for each in findings] == [0, 1]


def test_reports_a_missing_known_hosts_file(tmp_path: Path) -> None:
    findings = list(doctor._check_files(Host("kaditz", "198.18.0.39"), tmp_path / "none"))
    assert [finding.check for finding in findings] == ["known_hosts", "host key of kaditz"]
