"""Run `make run` with a wrong configuration: it prints each problem once and starts no process."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.imker_toml import HOST_CONFIG, VALID_CONFIG

ROOT = Path(__file__).parents[2]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Return a valid environment."""
    for name in ("known_hosts", "key", "ca.pem", "cert.pem", "key.pem"):
        (tmp_path / name).touch(mode=0o600)
    (tmp_path / "imker.toml").write_text((VALID_CONFIG + HOST_CONFIG).format(folder=tmp_path))
    values = {"SLACK_BOT_TOKEN": "xoxb-1", "SLACK_APP_TOKEN": "xapp-1", "IMKER_CONFIG": str(tmp_path / "imker.toml")}
    around = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    return {**around, **values}


def run(environment: dict[str, str], *argv: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(argv, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("side", ["bot", "jobs"])
def test_prints_nothing_for_a_valid_configuration(environment: dict[str, str], side: str) -> None:
    checked = run(environment, sys.executable, "-m", side, "check")
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")


def test_prints_each_problem_once_for_either_side_or_both(environment: dict[str, str], tmp_path: Path) -> None:
    config = tmp_path / "imker.toml"
    config.write_text(config.read_text().replace("U02BOB", "bob") + "[slak]\n")
    (tmp_path / "key").chmod(0o644)
    environment["IMKER_SIGNING_KEY"] = "short"
    result = run(environment, "make", "run", f"VENV={sys.prefix}", "-o", f"{sys.prefix}/.installed")
    assert [line.removeprefix(f"{config}: ").split(";")[0] for line in result.stdout.splitlines()] == [
        "IMKER_SIGNING_KEY: too short",
        "[slak]: unknown key",
        "[rights] accept entry 1: 'bob' is not a Slack user ID (U…), a user group ID (S…), or \"*\"",
        f"[hosts.kaditz] ssh_key: {tmp_path}/key is readable by other users",
    ]
    assert result.returncode != 0
