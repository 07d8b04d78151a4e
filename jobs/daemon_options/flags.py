"""Command-line flags inside a text: read, dropped and renamed where they stand, everything around them untouched."""

import re
import shlex

# Flags without a value of their own; all others take the next word when there is no "=".
_ALONE = """D debug tls tlsverify live-restore experimental icc ip-forward ip-masq iptables ip6tables ipv6
selinux-enabled userland-proxy raw-logs init no-new-privileges disable-legacy-registry validate"""
ALONE = frozenset(_ALONE.split())
CLUSTER = ("--cluster-store-opt", "--cluster-store", "--cluster-advertise")
LEAVE = (*CLUSTER, "--live-restore")
# A word as shells and systemd know it: bare characters, backslash pairs and quoted stretches, in any mixture.
_BARE, _QUOTED = r"""[^\s"'\\]|\\[^\r\n]""", {'"': '"[^"]*"', "'": "'[^']*'"}
GAP = r"(?:[ \t]|\\?\r?\n)"


def words(text: str) -> list[str]:
    """The words of a command, continuation lines joined. A quote that never ends makes no word of it."""
    try:
        return shlex.split(re.sub(r"\\\r?\n", " ", text))
    except ValueError:
        return text.split()


def pairs(argv: list[str]) -> list[tuple[str, str]]:
    """(name, value) for each flag of argv; words that are no flags are passed over."""
    found, rest = [], list(argv)
    while rest:
        word = rest.pop(0)
        if not word.startswith("-") or word == "-":
            continue
        name, has_value, value = word.lstrip("-").partition("=")
        if not has_value and name not in ALONE and rest and not rest[0].startswith("-"):
            value = rest.pop(0)
        found.append((name, value))
    return found


def without(text: str, quote: str = "") -> tuple[str, tuple[str, ...]]:
    """The text without what a swarm's node may not have, and what left. `quote`: the one that encloses the text."""
    stretches = [form for mark, form in _QUOTED.items() if mark != quote]
    word = f"(?:{'|'.join([_BARE, *stretches])})+"
    names = "|".join(map(re.escape, CLUSTER))
    flag = rf"(?:{names})(?:=|{GAP}+){word}|--live-restore(?:=\w+)?"
    gone: list[str] = []

    def drop(match: re.Match[str]) -> str:
        gone.append(match["flag"])
        return ""

    kept = re.sub(rf"(?:{GAP}+|^)(?P<flag>{_either(flag, quote)})(?={GAP}|$)", drop, text)
    return (kept.lstrip(" \t") if gone and not text[:1].isspace() else kept), tuple(gone)


def _either(flag: str, quote: str) -> str:
    """The flag bare, or as a whole in quotes of its own."""
    marks = [mark for mark in _QUOTED if mark != quote]
    return "|".join([flag, *(f"{mark}(?:--cluster-[^{mark}]*){mark}" for mark in marks)])


def renamed(text: str) -> tuple[str, tuple[tuple[str, str], ...]]:
    """`-g` and `--graph` have been `--data-root` since 17.05, and are gone since 23.0."""
    found = re.search(r"(?<!\S)(-g|--graph)(?=[= \t])", text)
    if not found:
        return text, ()
    return text[: found.start()] + "--data-root" + text[found.end() :], ((found[1], "--data-root"),)
