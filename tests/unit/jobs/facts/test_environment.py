"""Test how the output of a host's tools is parsed, section by section."""

import datetime
import time

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from jobs.facts.environment import HostEnvironment, parse_environment
from jobs.gather.host_script import NAMED_FILES, OPTIONS, STATE, section_names
from tests.support.sections import empty_host

NOW = 1_795_440_000.0
ADDRESSES = """\
1: lo    inet 127.0.0.1/8 scope host lo\\       valid_lft forever preferred_lft forever
2: host0    inet 198.18.0.39/24 brd 198.18.0.255 scope global host0\\       valid_lft forever
2: host0    inet6 fd00::39/64 scope global \\       valid_lft forever preferred_lft forever
3: tun0    inet 10.8.0.2 peer 10.8.0.1/32 scope global tun0\\       valid_lft forever
"""
LINKS = """\
3: tun0: <POINTOPOINT,MULTICAST,NOARP,UP,LOWER_UP> mtu 1420 qdisc pfifo_fast state UNKNOWN mode DEFAULT group default
1: lo: <LOOPBACK,UP,LOWER_UP> mtu 65536 qdisc noqueue state UNKNOWN mode DEFAULT group default qlen 1000
2: host0@if7: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1400 qdisc noqueue state UP mode DEFAULT group default
"""
ROUTES = """\
default via 198.18.0.1 dev host0
10.20.0.0/16 via 198.18.0.1 dev host0
blackhole 10.99.0.0/16
172.17.0.0/16 dev docker0 proto kernel scope link src 172.17.0.1 linkdown
172.18.0.0/16 dev docker_gwbridge proto kernel scope link src 172.18.0.1
172.19.0.0/16 dev br-0d3c5a9e11aa proto kernel scope link
198.18.0.0/24 dev host0 proto kernel scope link src 198.18.0.39
203.0.113.7 via 198.18.0.1 dev host0
"""
STORE = """\
0      0      198.18.0.64:8500   198.18.0.73:40112
0      0      198.18.0.64:8500   198.18.0.39:40114
0      0      [::ffff:198.18.0.64]:8500   [::ffff:198.18.0.39]:40116
0      0      198.18.0.64:8500   198.18.0.64:40118
"""
DISK = """\
Filesystem     1-blocks       Used  Available Capacity Mounted on
/dev/sda1   21474836480 1073741824 20401094656       5% /
/dev/sdb1    1073741824  973741824   100000000      91% /var/lib/docker
"""
CASES = [
    ("clocks", f"{NOW + 7.5:.9f}\n", "clock_offset", 7.5),
    ("clocks", f"{NOW - 90:.9f}\n", "clock_offset", -90.0),
    ("clocks", "", "clock_offset", 0.0),
    ("clocks", "date: not found\n", "clock_offset", 0.0),
    ("machine_id", "9f86d081884c7d659a2feaa0c55ad015\n", "machine_id", "9f86d081884c7d659a2feaa0c55ad015"),
    ("machine_id", "", "machine_id", ""),
    ("boot_id", "5e1a3b0c-0c1f-4f6e-9d3b-4f8c1b2a7d10\n", "boot_id", "5e1a3b0c-0c1f-4f6e-9d3b-4f8c1b2a7d10"),
    ("boot_id", "", "boot_id", ""),
    ("init", "systemd\n", "init_system", "systemd"),
    ("init", "init\n", "init_system", "init"),
    ("init", "", "init_system", "unknown"),
    ("disk", DISK, "free_bytes", 100_000_000),
    ("disk", "", "free_bytes", None),
    ("disk", "Filesystem 1-blocks Used Available Capacity Mounted on\ntmpfs - - - - /\n", "free_bytes", None),
    ("packages", "iF |toy|1\nii |docker-ce|5\niU |docker.io|20\n", "broken_packages", ("toy (iF)", "docker.io (iU)")),
    ("packages", "iiR|toy|1\nrc |docker.io|\nun |docker-ce|\n", "broken_packages", ("toy (iiR)",)),
    ("packages", "", "broken_packages", ()),
    ("locks", "812 unattended-upgr\n", "apt_lock_holder", "unattended-upgr (process 812)"),
    ("locks", "", "apt_lock_holder", ""),
    ("routes", ROUTES, "routes", ("10.20.0.0/16", "198.18.0.0/24", "203.0.113.7")),
    ("groups", "geschke sudo docker\n", "user_groups", ("geschke", "sudo", "docker")),
    ("overlays", "local bridge\nglobal front\nswarm ingress\n", "overlay_networks", ("front",)),
    ("iptables", "iptables v1.8.9 (nf_tables)\n", "iptables_backend", "nf_tables"),
    ("iptables", "iptables v1.8.9 (legacy)\n", "iptables_backend", "legacy"),
    ("iptables", "iptables v1.4.21\n", "iptables_backend", ""),
    ("legacy_tables", "nat\nfilter\n", "legacy_tables", True),
    ("legacy_tables", "", "legacy_tables", False),
    ("store_connections", STORE, "store_peers", ("198.18.0.39", "198.18.0.73")),
    ("store_connections", "", "store_peers", ()),
    ("certificate", "no certificate\n", "certificate_expires", None),
    (
        "unreadable",
        "/etc/docker/ca.pem\n/etc/docker/my key.pem\n",
        "unreadable_files",
        ("/etc/docker/ca.pem", "/etc/docker/my key.pem"),
    ),
    ("socket", "Listen=/run/docker.sock (Stream)\n", "has_tcp_socket", False),
    ("socket", "Listen=/run/docker.sock (Stream)\nListen=[::]:2376 (Stream)\n", "has_tcp_socket", True),
]


@pytest.mark.parametrize(("section", "text", "name", "expected"), CASES)
def test_parses_the_output_of_each_tool(section: str, text: str, name: str, expected: object) -> None:
    assert getattr(parse_environment(empty_host(**{section: text}), NOW), name) == expected


def test_pairs_each_address_with_the_mtu_of_its_link() -> None:
    message = dict(parse_environment(empty_host(addresses=ADDRESSES, links=LINKS), NOW).address_mtus)
    assert message == {"127.0.0.1": 65536, "198.18.0.39": 1400, "fd00::39": 1400, "10.8.0.2": 1420}


def test_reads_the_expiry_of_a_certificate() -> None:
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "tondi")])
    ends = datetime.datetime(2027, 1, 2, 3, 4, 5, tzinfo=datetime.UTC)
    built = x509.CertificateBuilder(name, name, key.public_key(), 1, ends - datetime.timedelta(days=9), ends)
    pem = built.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM).decode()
    assert parse_environment(empty_host(certificate=pem), NOW).certificate_expires == ends.timestamp()


def test_parses_a_host_without_any_tool() -> None:
    assert parse_environment(empty_host(clocks=""), NOW) == HostEnvironment(init_system="unknown")


@given(st.sampled_from(section_names(STATE, OPTIONS, NAMED_FILES)), st.text())
def test_parses_any_text_in_a_section(section: str, text: str) -> None:
    assert isinstance(parse_environment(empty_host(**{section: text + "\n"}), NOW), HostEnvironment)


HOSTILE = {
    "links": "1: " + "a" * 4_000_000,
    "addresses": "1: aaaa " * 500_000,
    "disk": "x\n/dev/sda1 1 1 " + "9" * 5000 + " 1% /\n/dev/sdb1 1 1 \u00b2 1% /",
    "clocks": "9" * 4_000_000,
    "overlays": "global \n" * 100_000,
    "certificate": "-----BEGIN CERTIFICATE-----\n" * 100_000,
    "store_connections": "a " * 2_000_000,
    "routes": "dev br-" * 500_000,
    "socket": ":1" * 2_000_000,
}


@pytest.mark.parametrize("part", HOSTILE)
def test_parses_malicious_output_within_seconds(part: str) -> None:
    began = time.process_time()
    environment = parse_environment(empty_host(**{part: HOSTILE[part]}), 1.0)
    assert time.process_time() - began < 10
    assert (
        environment.free_bytes,
        environment.address_mtus,
        environment.certificate_expires,
        environment.overlay_networks,
    ) == (None, (), None, ())
