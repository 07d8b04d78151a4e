"""Parse a host's environment from its sections: clock, disk, apt, network, certificate. Pure."""

import ipaddress
import re
from collections.abc import Iterator
from dataclasses import dataclass

from cryptography import x509

from jobs.facts.machine import MachineIdentity
from jobs.facts.sections import Sections

TLS_FILE_OPTIONS = ("tlscert", "tlskey", "tlscacert")


@dataclass(frozen=True)
class HostEnvironment:
    """A host's environment.

    `clock_offset`: seconds the host's clock is ahead of Imker's; `free_bytes`: the least free space where the Engine
    and apt write; `broken_packages`: half-installed packages, "package (state)"; `apt_lock_holder`: the process that
    holds the dpkg lock; `address_mtus`: pairs of an address and the MTU of its link; `routes`: networks except the
    default route; `overlay_networks`: those of a classic store; `store_peers`: addresses connected to a store here;
    `certificate_expires`: UNIX seconds, None if the Engine's certificate could not be read; `unreadable_files`: named
    by the TLS options; `has_tcp_socket`: docker.socket of systemd listens on TCP; `boot_id`: the
    kernel's, which changes with each boot.
    """

    clock_offset: float = 0.0
    init_system: str = "systemd"
    free_bytes: int | None = None
    broken_packages: tuple[str, ...] = ()
    apt_lock_holder: str = ""
    address_mtus: tuple[tuple[str, int], ...] = ()
    routes: tuple[str, ...] = ()
    user_groups: tuple[str, ...] = ()
    storage_driver: str = ""
    overlay_networks: tuple[str, ...] = ()
    iptables_backend: str = ""
    legacy_tables: bool = False
    store_peers: tuple[str, ...] = ()
    certificate_expires: float | None = None
    unreadable_files: tuple[str, ...] = ()
    has_tcp_socket: bool = False
    machine_id: str = ""
    boot_id: str = ""

    @property
    def identity(self) -> MachineIdentity:
        """Return what tells this machine from others."""
        return MachineIdentity(self.machine_id, self.boot_id)


def parse_environment(sections: Sections, sent_at: float, storage_driver: str = "") -> HostEnvironment:
    """Parse the host's sections. `sent_at`: UNIX seconds when the script was sent; the network delay counts as skew."""
    texts = {name: section.text for name, section in sections.items()}
    now = _parse_number((texts["clocks"].split() or [""])[0])
    return HostEnvironment(
        clock_offset=now - sent_at if now else 0.0,
        init_system=texts["init"].strip() or "unknown",
        free_bytes=_parse_free_bytes(texts["disk"]),
        broken_packages=tuple(_broken_packages(texts["packages"])),
        apt_lock_holder=_format_lock_holder(texts["locks"]),
        address_mtus=_parse_addresses(texts["addresses"], texts["links"]),
        routes=tuple(_parse_routes(texts["routes"])),
        user_groups=tuple(texts["groups"].split()),
        storage_driver=storage_driver,
        overlay_networks=tuple(
            words[1] for words in _split_words(texts["overlays"]) if words[0] == "global" and len(words) > 1
        ),
        iptables_backend=(re.findall(r"\((\w+)\)", texts["iptables"]) or [""])[0],
        legacy_tables=bool(texts["legacy_tables"].strip()),
        store_peers=tuple(sorted(set(_parse_peers(texts["store_connections"])))),
        certificate_expires=parse_expiry(texts["certificate"]),
        unreadable_files=tuple(texts["unreadable"].splitlines()),
        has_tcp_socket=bool(re.search(r":\d+ \(Stream\)", texts["socket"])),
        machine_id=texts["machine_id"].strip()[:64],
        boot_id=texts["boot_id"].strip()[:64],
    )


def _split_words(text: str) -> list[list[str]]:
    return [words for line in text.splitlines() if (words := line.split())]


def _parse_number(text: str) -> float:
    match = re.fullmatch(r"[0-9]{1,12}(\.[0-9]{1,12})?", text.strip())
    return float(match[0]) if match else 0.0


def _parse_free_bytes(df_output: str) -> int | None:
    rows = [line.split() for line in df_output.splitlines()[1:]]
    free = [int(row[3]) for row in rows if len(row) >= 6 and re.fullmatch(r"[0-9]{1,18}", row[3])]
    return min(free) if free else None


def _broken_packages(dpkg_rows: str) -> Iterator[str]:
    """Yield the packages that are not completely installed or removed, such as "docker.io (iU)"."""
    for line in dpkg_rows.splitlines():
        state, _, rest = line.partition("|")
        if rest and state.strip() and not re.match(r"[a-z][inc] ", f"{state} "):
            yield f"{rest.partition('|')[0]} ({state.strip()})"


def _format_lock_holder(text: str) -> str:
    pid, _, name = text.strip().partition(" ")
    return f"{name} (process {pid})" if pid else ""


def _parse_addresses(addresses: str, links: str) -> tuple[tuple[str, int], ...]:
    """Parse line by line and word by word, in linear time, as the host decides how long both texts are."""
    mtu = dict(filter(None, map(_parse_link, links.splitlines())))
    matches = filter(None, map(_parse_address, addresses.splitlines()))
    return tuple((address, mtu.get(name, 0)) for name, address in matches)


def _parse_link(line: str) -> tuple[str, int] | None:
    """Return name and MTU of `2: eth0@if7: <BROADCAST,UP> mtu 1500 …`."""
    words = line.split()
    at = words.index("mtu") + 1 if "mtu" in words else len(words)
    if at >= len(words) or not re.fullmatch(r"[0-9]{1,9}", words[at]):
        return None
    return words[1].partition("@")[0].rstrip(":"), int(words[at])


def _parse_address(line: str) -> tuple[str, str] | None:
    """Return link and address of `2: eth0    inet 198.18.0.39/24 …` or `… inet 10.0.0.1 peer 10.0.0.2/32 …`."""
    words = line.split()
    if len(words) < 4 or words[2] not in ("inet", "inet6"):
        return None
    address, _, length = words[3].partition("/")
    peer = words[4:5] == ["peer"]
    good = re.fullmatch(r"[0-9a-fA-F.:]{1,45}", address) and (length.isdecimal() or peer)
    return (words[1], address) if good else None


def _parse_routes(text: str) -> list[str]:
    """Return the routed networks, without those of Docker's own bridges."""
    lines = [
        line.split() for line in text.splitlines() if not re.search(r"dev (docker\d*|docker_gwbridge|br-\w+)", line)
    ]
    return [words[0] for words in lines if words and words[0] != "default" and _is_network(words[0])]


def _is_network(text: str) -> bool:
    try:
        return bool(ipaddress.ip_network(text, strict=False))
    except ValueError:
        return False


def _parse_peers(ss_output: str) -> list[str]:
    """Return the remote addresses of the connections, without those of the host itself."""
    rows = [line.split() for line in ss_output.splitlines()]
    ends = [(row[-2].rpartition(":")[0], row[-1].rpartition(":")[0]) for row in rows if len(row) >= 4]
    return [
        _strip_address(remote_end)
        for local_end, remote_end in ends
        if _strip_address(local_end) != _strip_address(remote_end)
    ]


def _strip_address(address: str) -> str:
    return address.strip("[]").removeprefix("::ffff:")


def parse_expiry(pem: str) -> float | None:
    """Return when the certificate ends, in UNIX seconds; None if it cannot be read."""
    try:
        return x509.load_pem_x509_certificate(pem.encode()).not_valid_after_utc.timestamp()
    except ValueError:
        return None
