"""The keys of a host are those that paramiko itself finds in the file, whatever else is in it."""

from pathlib import Path

import paramiko
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.connectors.ssh_client.known_hosts import add_keys, has_host_key
from jobs.inventory.model import Host

KEYS = [
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI" + letter * 42 + end for letter, end in (("A", "A"), ("B", "B"), ("C", "C"))
]
ADDRESS = "192.0.2.7"
NAMES = ["192.0.2.7", "[192.0.2.7]:2222", "192.0.2.8", "192.0.2.77", "kaditz", "192.0.2.7,kaditz", "@revoked", "#"]
HASHED = [paramiko.HostKeys.hash_host(name) for name in ("192.0.2.7", "[192.0.2.7]:2222", "192.0.2.8")]
LINES = st.builds(
    lambda name, space, key, more: f"{name}{space}{key}{more}",
    st.sampled_from([*NAMES, *HASHED]),
    st.sampled_from([" ", "\t"]),
    st.sampled_from([*KEYS, "ssh-unknown AAAA"]),
    st.sampled_from(["", " a comment", " "]),
)


def host(port: int) -> Host:
    return Host("kaditz", ADDRESS, ssh_port=port)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("ssh") / "known_hosts"


@settings(max_examples=200, deadline=None)
@given(lines=st.lists(LINES, max_size=6), port=st.sampled_from([22, 2222]))
def test_finds_the_keys_that_paramiko_finds(path: Path, lines: list[str], port: int) -> None:
    path.write_text("\n".join(lines))
    name = ADDRESS if port == 22 else f"[{ADDRESS}]:{port}"
    keys = paramiko.HostKeys()
    add_keys(keys, path, host(port))
    expected = paramiko.HostKeys(str(path)).lookup(name) or {}
    assert dict(keys.lookup(name) or {}) == dict(expected)
    assert has_host_key(path, host(port)) == bool(expected)


@pytest.mark.parametrize("entry", ["|1|", "|1|a", "|1|a|b", "|1|!|!", "|1|AAAA|AAAA"])
def test_skips_an_invalid_hash(path: Path, entry: str) -> None:
    path.write_text(f"{entry} {KEYS[0]}\n{ADDRESS} {KEYS[1]}")
    assert has_host_key(path, host(22))


def test_skips_an_invalid_key(path: Path) -> None:
    """paramiko itself refuses the whole file."""
    path.write_text(f"{ADDRESS} ssh-ed25519 broken\n{ADDRESS} {KEYS[1]}")
    assert has_host_key(path, host(22))


def test_reports_a_missing_file(path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        has_host_key(path.with_name("none"), host(22))
