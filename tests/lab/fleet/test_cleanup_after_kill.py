"""Leftovers of a killed lab are found, and unfinished work is done again."""

import itertools
from pathlib import Path

import pytest
import typer.testing

from lab.__main__ import app
from lab.fleet import base_image, cgroups, client_files, fleet, machine
from lab.fleet.certificates import CertificateWithKey
from lab.fleet.hosts import BY_NAME
from lab.fleet.shell import LabError

V1 = """\
tmpfs /sys/fs/cgroup tmpfs rw,mode=755 0 0
cgroup /sys/fs/cgroup/cpu cgroup rw,cpu 0 0
cgroup /sys/fs/cgroup/systemd cgroup rw,name=systemd 0 0
"""


@pytest.mark.parametrize(
    ("mounts", "expected_count"),
    [
        (V1, ["cpu", "systemd"]),
        (V1 + "cgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0\n", ["cpu", "systemd", "unified"]),
        ("cgroup2 /sys/fs/cgroup cgroup2 rw,nsdelegate 0 0\n", [""]),
    ],
    ids=["version 1", "both", "version 2 alone"],
)
def test_finds_every_cgroup_hierarchy(mounts: str, expected_count: list[str]) -> None:
    assert cgroups.parse_hierarchies(mounts) == [Path("/sys/fs/cgroup") / name for name in expected_count]


def test_keeps_a_base_in_use_and_removes_an_unfinished_one() -> None:
    cache = Path("/cache")
    current, used, old, unfinished = (cache / name for name in ("new", "used", "old", "new.unfinished"))
    mounts = "overlay /hosts/tondi/root overlay rw,lowerdir=/cache/used/root,upperdir=/up,workdir=/work 0 0\n"
    mounts += "proc /cache/new.unfinished/root/proc proc rw 0 0\n"
    assert base_image.unused_bases((current, used, old, unfinished), current, mounts) == [old, unfinished]


@pytest.mark.parametrize(
    ("source", "same"),
    [("A = 1  # why\n", True), ("# what\nA = (\n    1\n)\n", True), ("A = 2\n", False), ("A = 1\nB = 1\n", False)],
)
def test_a_comment_does_not_change_the_digest_of_the_recipe(source: str, same: bool) -> None:
    assert (base_image.recipe_digest(source) == base_image.recipe_digest("A = 1\n")) is same


def test_reports_a_missing_tool_although_the_base_exists(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base_image, "CACHE_DIR", tmp_path)
    base_image._base_folder().mkdir()
    monkeypatch.setattr(base_image.shutil, "which", lambda tool: None)
    with pytest.raises(LabError, match=r"missing packages, .*systemd-container"):
        base_image.ensure_base(print)


def test_ignores_a_repeated_host_name() -> None:
    assert [host.name for host in fleet.hosts_by_name(("tondi", "kaditz", "tondi"))] == ["tondi", "kaditz"]


def test_reports_a_missing_host_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "STATE_DIR", tmp_path)
    (tmp_path / "hosts/tondi/root").mkdir(parents=True)
    with pytest.raises(LabError, match=r"^not up: tondi lausen; run: python -m lab fleet up tondi lausen$"):
        fleet.require_booted(("tondi", "lausen"))


def test_status_reports_that_no_hosts_are_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fleet, "status", lambda: ())
    assert typer.testing.CliRunner().invoke(app, ["fleet", "status"]).output == "No hosts are up.\n"


@pytest.mark.processes
def test_keys_are_valid_wherever_their_creation_was_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    host, write = BY_NAME["tondi"], client_files._write_secret
    for lived in range(6):
        keys = tmp_path / str(lived)
        writes = itertools.count()

        def dying(path: Path, text: str, lived: int = lived, writes: "itertools.count[int]" = writes) -> None:
            if next(writes) == lived:
                raise KeyboardInterrupt
            write(path, text)

        monkeypatch.setattr(client_files, "_write_secret", dying)
        with pytest.raises(KeyboardInterrupt):
            client_files.ensure_keys([host], keys)
        monkeypatch.setattr(client_files, "_write_secret", write)
        client_files.ensure_keys([host], keys)
        client_files.write_client_files(tmp_path / "client", [host], keys)
        ca = client_files._load_authority(keys).certificate
        for name in ("client", "tondi/server"):
            signed(keys, name).certificate.verify_directly_issued_by(ca)


def signed(keys: Path, name: str) -> CertificateWithKey:
    """Load a certificate and check that its key belongs to it."""
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import rsa
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    certificate = x509.load_pem_x509_certificate((keys / f"{name}.pem").read_bytes())
    key = load_pem_private_key((keys / f"{name}-key.pem").read_bytes(), None)
    assert isinstance(key, rsa.RSAPrivateKey)
    assert certificate.public_key() == key.public_key()
    return CertificateWithKey(certificate, key)
