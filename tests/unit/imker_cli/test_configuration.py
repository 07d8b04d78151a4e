"""Check the configuration and list the settings in use, with secrets masked."""

from pathlib import Path

import pytest

from imker_cli.__main__ import main
from imker_cli.sources import mask
from tests.support.imker_toml import HOST_CONFIG, VALID_CONFIG

SECRETS = {
    "SLACK_BOT_TOKEN": "xoxb-canary-1",
    "SLACK_APP_TOKEN": "xapp-canary-2",
    "IMKER_SIGNING_KEY": "canary-3-" + "k" * 32,
    "REDIS_URL": "redis://imker-bot:canary-4@redis.example.org:6379/0?password=canary-5",
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with a valid configuration. The audit key is in .env, the others are in the environment."""
    for name in ("known_hosts", "key", "ca.pem", "cert.pem", "key.pem"):
        (tmp_path / name).touch(mode=0o600)
    (tmp_path / "imker.toml").write_text((VALID_CONFIG + HOST_CONFIG).format(folder=tmp_path))
    (tmp_path / ".env").write_text("IMKER_AUDIT_KEY=canary-6\n")
    (tmp_path / ".env").chmod(0o600)
    for name in ("SLACK_SIGNING_SECRET", "IMKER_AUDIT_KEY", "IMKER_HTTP", "IMKER_STATE", "SLACK_API_URL"):
        monkeypatch.setenv(name, "")
    for name, value in {**SECRETS, "IMKER_CONFIG": str(tmp_path / "imker.toml")}.items():
        monkeypatch.setenv(name, value)
    return tmp_path


def test_check_accepts_a_valid_configuration(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check"]) == 0
    assert capsys.readouterr().out == "The configuration is valid.\n"


def test_check_prints_each_problem_once(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "imker.toml").write_text("[slak]\n")
    assert main(["check"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert f"{folder}/imker.toml: [slak]: unknown key; did you mean slack?" in lines
    assert len(lines) == len(set(lines))


@pytest.mark.parametrize(("side", "foreign"), [("bot", "[hosts.kaditz]"), ("jobs", "[slack]")])
def test_check_of_one_side_ignores_the_other(
    folder: Path, capsys: pytest.CaptureFixture[str], side: str, foreign: str
) -> None:
    (folder / "key").unlink()
    (folder / "imker.toml").write_text((folder / "imker.toml").read_text().replace("C01OPS", "ops"))
    assert main(["check", "--only", side]) == 1
    assert foreign not in capsys.readouterr().out


def test_config_names_the_source_of_each_setting(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config"]) == 0
    lines = capsys.readouterr().out.splitlines()
    file = folder / "imker.toml"
    for line in (
        f'slack.channels = ["C01OPS"]  # {file}',
        "slack.per_minute = 30  # default",
        f'hosts.kaditz.address = "198.18.0.39"  # {file}',
        "hosts.kaditz.ssh_port = 22  # default",
        'SLACK_BOT_TOKEN = "xoxb-…"  # environment',
        'REDIS_URL = "redis://…@redis.example.org:6379/0?password=…"  # environment',
        f'IMKER_AUDIT_KEY = "…"  # {folder}/.env',
        "SLACK_SIGNING_SECRET = -  # not set",
    ):
        assert line in lines


def test_config_shows_no_secret(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["config"])
    printed = capsys.readouterr()
    assert "canary" not in printed.out + printed.err


def test_config_shows_what_is_valid_and_the_problems(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "imker.toml").write_text("[slack]\nchannels = ['C01OPS']\nper_minute = 0\n")
    assert main(["config"]) == 1
    printed = capsys.readouterr()
    assert 'slack.channels = ["C01OPS"]' in printed.out
    assert "[slack] per_minute: must be at least 1" in printed.err


@pytest.mark.parametrize(
    ("secret", "masked"),
    [
        ("", ""),
        ("xoxb-1-2-3", "xoxb-…"),
        ("abc", "…"),
        ("redis://localhost", "redis://localhost"),
        ("rediss://user:p@ss@host/0", "rediss://…@host/0"),
        ("unix:///run/redis.sock?db=0", "unix:///run/redis.sock?db=0"),
    ],
)
def test_masks_what_is_secret(secret: str, masked: str) -> None:
    assert mask(secret) == masked
