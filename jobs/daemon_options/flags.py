"""Parse the daemon's flags. In: the words of a command line. Out: names, values, word numbers. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

# Boolean flags. All others take the next word as their value if there is no "=".
_BOOLEAN_FLAGS = """D debug tls tlsverify live-restore experimental icc ip-forward ip-forward-no-drop ip-masq
iptables ip6tables ipv6 selinux-enabled userland-proxy raw-logs init no-new-privileges disable-legacy-registry
validate rootless r restart api-enable-cors cri-containerd allow-direct-routing d daemon"""
BOOLEAN_FLAGS = frozenset(_BOOLEAN_FLAGS.split())
SHORT = frozenset("HgGlpsbe")  # short flags whose value may follow without a space
CLUSTER = ("cluster-store-opt", "cluster-store", "cluster-advertise")
REMOVED_OPTIONS = (*CLUSTER, "live-restore")
DATA_ROOT = "data-root"
GRAPH = ("g", "graph")
# Flag -> key in daemon.json, if they differ.
KEYS = {
    "H": "hosts",
    "host": "hosts",
    "D": "debug",
    "G": "group",
    "l": "log-level",
    "p": "pidfile",
    "s": "storage-driver",
    "b": "bridge",
    "e": "exec-driver",
    "r": "restart",
    "g": DATA_ROOT,
    "graph": DATA_ROOT,
    "label": "labels",
    "insecure-registry": "insecure-registries",
    "registry-mirror": "registry-mirrors",
    "storage-opt": "storage-opts",
    "authorization-plugin": "authorization-plugins",
    "exec-opt": "exec-opts",
    "log-opt": "log-opts",
    "dns-opt": "dns-opts",
    "default-ulimit": "default-ulimits",
    "default-address-pool": "default-address-pools",
    "default-network-opt": "default-network-opts",
    "node-generic-resource": "node-generic-resources",
    "host-gateway-ip": "host-gateway-ips",
    "cdi-spec-dir": "cdi-spec-dirs",
    "feature": "features",
    "add-runtime": "runtimes",
    "cluster-store-opt": "cluster-store-opts",
}


@dataclass(frozen=True)
class Flag:
    """A flag, in the words `first` to `last`. `name`: as written, without dashes."""

    name: str
    value: str
    first: int
    last: int


def flags(words: Sequence[str], at: int = 0) -> Iterator[Flag]:
    """Yield the flags from word number `at` on. Words that are not flags are skipped."""
    while at < len(words):
        name, value, more = _parse_flag(words[at], words[at + 1] if at + 1 < len(words) else "-")
        if name:
            yield Flag(name, value, at, at + more)
        at += 1 + more


def key(name: str) -> str:
    """Return the key in daemon.json for a flag or key."""
    return KEYS.get(name, name)


def _parse_flag(word: str, following: str) -> tuple[str, str, int]:
    """Return (name, value, number of words that the value takes). The name is "" if the word is not a flag."""
    if word[:1] != "-" or word.strip("-") == "":
        return "", "", 0
    if word[1] in SHORT and word[2:3] not in ("", "="):
        return word[1], word[2:], 0
    name, has_value, value = word.lstrip("-").partition("=")
    if has_value or name in BOOLEAN_FLAGS or following.startswith("-"):
        return name, value, 0
    return name, following, 1
