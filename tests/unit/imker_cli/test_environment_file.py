"""Read the file .env beside imker.toml."""

import os
from pathlib import Path

import pytest

from imker.config import ConfigError
from imker_cli import environment_file

TEXT = """
# a comment
export SLACK_BOT_TOKEN="xoxb-1"
SLACK_APP_TOKEN='xapp-$HOME'
IMKER_AUDIT_KEY=from-file
REDIS_URL=
"""


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("SLACK_BOT_TOKEN", "SLACK_APP_TOKEN", "IMKER_AUDIT_KEY", "REDIS_URL"):
        monkeypatch.setenv(name, "")  # so that the fixture restores what the file sets
    monkeypatch.setenv("IMKER_CONFIG", str(tmp_path / "imker.toml"))
    file = tmp_path / ".env"
    file.write_text(TEXT)
    file.chmod(0o600)
    return file


def test_reads_quotes_exports_and_comments_and_expands_nothing(file: Path) -> None:
    assert environment_file.load() == {"SLACK_BOT_TOKEN", "SLACK_APP_TOKEN", "IMKER_AUDIT_KEY"}
    assert os.environ["SLACK_BOT_TOKEN"] == "xoxb-1"
    assert os.environ["SLACK_APP_TOKEN"] == "xapp-$HOME"


@pytest.mark.parametrize("name", ["IMKER_AUDIT_KEY", "IMKER_AUDIT_KEY_FILE"])
def test_the_environment_takes_precedence(file: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "from-environment")
    assert "IMKER_AUDIT_KEY" not in environment_file.load()
    assert os.environ["IMKER_AUDIT_KEY"] != "from-file"


def test_a_file_that_others_can_read_is_refused(file: Path) -> None:
    file.chmod(0o604)
    with pytest.raises(ConfigError, match=r"\.env can be read by every user of this machine; run chmod o= "):
        environment_file.load()


def test_a_file_that_is_no_text_is_refused(file: Path) -> None:
    file.write_bytes(b"A=\xff")
    with pytest.raises(ConfigError, match=r"\.env "):
        environment_file.load()


def test_without_a_file_nothing_is_added(file: Path) -> None:
    file.unlink()
    assert environment_file.load() == frozenset()
