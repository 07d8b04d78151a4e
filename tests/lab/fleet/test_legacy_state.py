"""The 2016 state of hosts, before any host is booted."""

import json
from collections import Counter

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtensionOID

from lab.fleet import daemon_option_files
from lab.fleet.certificates import create_authority, issue_certificate
from lab.fleet.hosts import BY_NAME, FLEET, LabHost


def test_certificates_look_like_docker_machines() -> None:
    ca = create_authority("connewitz")
    server = issue_certificate(ca, "connewitz.kaditz", "198.18.0.39").certificate
    server.verify_directly_issued_by(ca.certificate)
    for oid in (ExtensionOID.AUTHORITY_KEY_IDENTIFIER, ExtensionOID.SUBJECT_KEY_IDENTIFIER):
        with pytest.raises(x509.ExtensionNotFound):
            server.extensions.get_extension_for_oid(oid)
    assert (server.not_valid_after_utc - server.not_valid_before_utc).days == 1080
    names = server.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert [str(name) for name in names.get_values_for_type(x509.IPAddress)] == ["198.18.0.39"]


@pytest.mark.parametrize("host", FLEET, ids=lambda host: host.name)
def test_only_the_final_disk_has_options_of_the_classic_swarm(host: LabHost) -> None:
    running, disk = (
        "".join(daemon_option_files.option_files(host, False).values()),
        "".join(daemon_option_files.option_files(host, True).values()),
    )
    assert "cluster-store" not in running
    assert ("cluster-store" in disk) is host.in_classic_swarm
    assert "tlsverify" in running


def test_the_fleet_has_the_documented_hosts() -> None:
    assert [(host.name, host.number) for host in FLEET] == [
        ("connewitz", 60), ("tondi", 73), ("kaditz", 39), ("lausen", 64),
        ("lindenau", 66), ("miltitz", 65), ("pirita", 72), ("tolkewitz", 43),
    ]  # fmt: skip
    flags = Counter(host.options_place for host in FLEET if host.in_classic_swarm)
    assert flags == {"defaults": 2, "unit": 2, "drop-in": 1, "json": 1}, "every place for the options occurs"
    assert sum(host.live_restore for host in FLEET) == sum(host.mount_flags for host in FLEET) == 1
    assert len({host.server for host in FLEET if host.role == "manager"}) == 3
    assert (
        json.loads(daemon_option_files.option_files(BY_NAME["lausen"], True)[daemon_option_files.DAEMON_JSON_PATH])[
            "live-restore"
        ]
        is True
    )
