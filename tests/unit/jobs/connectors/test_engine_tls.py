"""Share TLS contexts between hosts with the same client files, and only between those."""

import shutil
from pathlib import Path

import pytest

from jobs.connectors.engine_tls import FILES, tls_context
from lab.fleet.certificates import create_authority, issue_certificate


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_files(tmp_path / "tondi")


def write_files(folder: Path) -> Path:
    authority = create_authority("lab")
    client = issue_certificate(authority, "client")
    folder.mkdir()
    for name, content in zip(FILES, (authority.pem, client.pem, client.key_pem), strict=True):
        (folder / name).write_text(content)
    return folder


def test_hosts_with_the_same_files_share_a_context(folder: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(folder, tmp_path / "kaditz")
    assert tls_context(folder) is tls_context(copy)


@pytest.mark.parametrize("names", [FILES, ("cert.pem", "key.pem")])
def test_other_files_make_another_context(folder: Path, tmp_path: Path, names: tuple[str, ...]) -> None:
    before = tls_context(folder)
    other = write_files(tmp_path / "kaditz")
    for name in names:
        shutil.copy(other / name, folder / name)
    assert tls_context(folder) is not before


def test_reports_a_missing_file(folder: Path) -> None:
    tls_context(folder)
    (folder / "key.pem").unlink()
    with pytest.raises(FileNotFoundError):
        tls_context(folder)
