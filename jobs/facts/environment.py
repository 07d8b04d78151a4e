"""Parse a host's environment, as one script prints it: clock, disk, apt, network, certificate. Pure."""

import ipaddress
import re
from dataclasses import dataclass

from cryptography import x509

STORE_PORT = 8500
TLS_FILE_OPTIONS = ("tlscert", "tlskey", "tlscacert")  # the script gets the SSH user, then the values of these options
# Each section is the output of one tool. A tool that is missing or hangs leaves its section empty.
ENVIRONMENT_SCRIPT = r"""
part() { echo "==$1"; shift; timeout 10 "$@" 2>/dev/null || true; }
part now date +%s.%N
part machine cat /etc/machine-id
part init cat /proc/1/comm
part disk df -PB1 / /var/lib/docker /var/cache/apt/archives
part broken sh -c 'dpkg-query -W -f "\${db:Status-Abbrev} \${Package}\n" | grep -v "^[a-z][inc] "'
part addresses ip -o addr show
part links ip -o link show
part routes ip -4 route show
part groups id -nG -- "$1"
part driver docker info --format '{{.Driver}}'
part overlays docker network ls --filter driver=overlay --format '{{.Scope}} {{.Name}}'
part iptables iptables --version
part legacy cat /proc/net/ip_tables_names
part store ss -Htn state established 'sport = :STORE_PORT'
part locks sh -c 'for lock in lock-frontend lock; do
  inode=$(stat -c %i /var/lib/dpkg/$lock) || continue
  pid=$(grep -E "POSIX .* [0-9]+ [0-9a-f]+:[0-9a-f]+:$inode " /proc/locks | head -1 | tr -s " " | cut -d" " -f5)
  if [ -n "$pid" ]; then echo "$pid $(cat /proc/$pid/comm)"; exit; fi; done'
part certificate cat -- "$2"
shift
part unread sh -c 'for file; do [ -z "$file" ] || head -c 1 -- "$file" >/dev/null || echo "$file"; done' sh "$@"
part socket systemctl show docker.socket -p Listen
part end echo end
""".replace("STORE_PORT", str(STORE_PORT))


@dataclass(frozen=True)
class HostEnvironment:
    """A host's environment.

    `clock_offset`: seconds the host's clock is ahead of Imker's; `free_bytes`: the least free space where the Engine
    and apt write; `broken_packages`: half-installed packages, "package (state)"; `apt_lock_holder`: the process that
    holds the dpkg lock; `address_mtus`: pairs of an address and the MTU of its link; `routes`: networks except the
    default route; `overlay_networks`: those of a classic store; `store_peers`: addresses connected to a store here;
    `certificate_expires`: UNIX seconds, None if the Engine's certificate could not be read; `unreadable_files`: named
    by the TLS options; `has_tcp_socket`: docker.socket of systemd listens on TCP.
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


def parse_environment(text: str, sent_at: float) -> HostEnvironment:
    """Parse the script's output. `sent_at`: UNIX seconds when the script was sent; the network delay counts as skew."""
    parts = _split_sections(text)
    now = _parse_number(parts["now"])
    return HostEnvironment(
        clock_offset=now - sent_at if now else 0.0,
        init_system=parts["init"].strip() or "unknown",
        free_bytes=_parse_free_bytes(parts["disk"]),
        broken_packages=tuple(_format_broken_package(line) for line in parts["broken"].splitlines()),
        apt_lock_holder=_format_lock_holder(parts["locks"]),
        address_mtus=_parse_addresses(parts["addresses"], parts["links"]),
        routes=tuple(_parse_routes(parts["routes"])),
        user_groups=tuple(parts["groups"].split()),
        storage_driver=parts["driver"].strip(),
        overlay_networks=tuple(
            words[1] for words in _split_words(parts["overlays"]) if words[0] == "global" and len(words) > 1
        ),
        iptables_backend=(re.findall(r"\((\w+)\)", parts["iptables"]) or [""])[0],
        legacy_tables=bool(parts["legacy"].strip()),
        store_peers=tuple(sorted(set(_parse_peers(parts["store"])))),
        certificate_expires=_parse_expiry(parts["certificate"]),
        unreadable_files=tuple(parts["unread"].splitlines()),
        has_tcp_socket=bool(re.search(r":\d+ \(Stream\)", parts["socket"])),
        machine_id=parts["machine"].strip()[:64],
    )


def _split_sections(text: str) -> dict[str, str]:
    pieces = re.split(r"^==(\w+)\n", text, flags=re.MULTILINE)
    sections = dict(zip(pieces[1::2], pieces[2::2], strict=True))
    expected = re.findall(r"^part (\w+)", ENVIRONMENT_SCRIPT, re.MULTILINE)
    return {name: sections.get(name, "") for name in expected}


def _split_words(text: str) -> list[list[str]]:
    return [words for line in text.splitlines() if (words := line.split())]


def _parse_number(text: str) -> float:
    match = re.fullmatch(r"[0-9]{1,12}(\.[0-9]{1,12})?", text.strip())
    return float(match[0]) if match else 0.0


def _parse_free_bytes(df_output: str) -> int | None:
    rows = [line.split() for line in df_output.splitlines()[1:]]
    free = [int(row[3]) for row in rows if len(row) >= 6 and re.fullmatch(r"[0-9]{1,18}", row[3])]
    return min(free) if free else None


def _format_broken_package(line: str) -> str:
    state, _, package = line.partition(" ")
    return f"{package.strip()} ({state})"


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


def _parse_expiry(pem: str) -> float | None:
    try:
        return x509.load_pem_x509_certificate(pem.encode()).not_valid_after_utc.timestamp()
    except ValueError:
        return None
