"""Run `imker init` in a terminal, with the fake Slack and simulated hosts: from an empty folder to a green doctor."""

import os
import signal
import stat
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from dotenv import dotenv_values

from lab.simulated.fleet import Fleet, run_fleet, select_hosts
from lab.slack.client import Workspace
from lab.slack.server_process import run_fake_slack
from tests.integration.conftest import OPS, PATIENCE, _wait_until
from tests.support import embedded_redis
from tests.support.terminal_session import TerminalSession, run_in_terminal

INIT = [sys.executable, "-m", "imker_cli", "init"]
HOSTS = ("connewitz", "tondi", "kaditz")
MAX_ANSWERS = 8


@pytest.fixture(scope="module")
def slack() -> Iterator[Workspace]:
    with run_fake_slack() as workspace:
        yield workspace


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    with run_fleet(select_hosts(HOSTS), tmp_path_factory.mktemp("lab")) as running:
        yield running


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return an empty folder."""
    (tmp_path / "team").mkdir()
    return tmp_path / "team"


@pytest.fixture
def environment(slack: Workspace, tmp_path: Path, redis_folder: Path) -> Iterator[dict[str, str]]:
    """Return an environment without settings and with an empty home."""
    (tmp_path / "home").mkdir()
    state = redis_folder / "init"
    yield {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(Path.cwd()),
        "HOME": str(tmp_path / "home"),
        "SLACK_API_URL": f"{slack.url}/api/",
        "IMKER_STATE": str(state),
    }
    embedded_redis.wait_until_ended(state)


def answer_all(terminal: TerminalSession, hosts: str) -> None:
    terminal.wait_for("https://api.slack.com/apps?new_app=1&manifest_json=")
    terminal.answer("Bot token", "xoxb-lab")
    terminal.answer("App-level token", "xapp-lab")
    terminal.answer("Channel in which Imker accepts commands [ops]", "")
    terminal.answer("Who may change hosts", "alice, ops")
    terminal.answer("Who may accept managers", "@bob")
    terminal.answer("\nHosts", hosts)
    terminal.answer("Which of them are to be managers", "")
    terminal.answer("Are the 3 new keys right", "yes")


def test_reaches_a_green_doctor_from_an_empty_folder(
    slack: Workspace, fleet: Fleet, folder: Path, environment: dict[str, str]
) -> None:
    with run_in_terminal(INIT, folder, environment) as terminal:
        answer_all(terminal, str(fleet.folder / "docker-machine"))
        status = terminal.wait()
    assert terminal.answers <= MAX_ANSWERS
    assert (status, "fail  " in terminal.screen, "warn  " in terminal.screen) == (0, False, False), terminal.screen
    for line in ("bot token: belongs to", "SSH to tondi: responds, with sudo", "Engine of kaditz: 20.10"):
        assert f"pass  {line}" in terminal.screen
    check_files(fleet, folder, terminal.screen)
    check_running(slack, folder, environment)


def check_files(fleet: Fleet, folder: Path, screen: str) -> None:
    assert {path.name for path in folder.iterdir()} == {"imker.toml", ".env", "known_hosts"}
    settings = tomllib.loads((folder / "imker.toml").read_text())
    assert settings == {
        "slack": {"team": "T01IMKER", "channels": [OPS]},
        "rights": {"read": ["*"], "change": ["U01ALICE", "S01OPS"], "accept": ["U02BOB"]},
        "inventory": {
            "docker_machine": str(fleet.folder.resolve() / "docker-machine"),
            "known_hosts": str(folder / "known_hosts"),
        },
        "hosts": {name: {"role": "manager"} for name in HOSTS},
    }
    keys = (fleet.folder / "known_hosts").read_text().splitlines()
    assert sorted((folder / "known_hosts").read_text().splitlines()) == sorted(keys)
    assert stat.S_IMODE((folder / ".env").stat().st_mode) == 0o600
    secrets = dotenv_values(folder / ".env")
    assert set(secrets) == {"SLACK_BOT_TOKEN", "SLACK_APP_TOKEN", "IMKER_SIGNING_KEY", "IMKER_AUDIT_KEY"}
    assert not [name for name, secret in secrets.items() if secret and secret in screen]


def check_running(slack: Workspace, folder: Path, environment: dict[str, str]) -> None:
    """Start Imker with these files. The doctor then passes also what needs the processes."""
    run = [sys.executable, "-m", "imker_cli"]
    with (
        (folder / "log").open("wb") as log,
        subprocess.Popen([*run, "up"], cwd=folder, env=environment, stdout=log, stderr=log) as up,
    ):
        try:
            _wait_until(lambda: slack.connection_count() > 0, folder / "log")
            _wait_until(lambda: is_healthy([*run, "health"], folder, environment), folder / "log")
            doctor = subprocess.run([*run, "doctor"], cwd=folder, env=environment, capture_output=True, text=True)
        finally:
            up.send_signal(signal.SIGINT)
        assert up.wait(PATIENCE) == 0
    assert (doctor.returncode, "fail  " in doctor.stdout) == (0, False), doctor.stdout
    assert "pass  reconciler: running" in doctor.stdout


def is_healthy(argv: list[str], folder: Path, environment: dict[str, str]) -> bool:
    return subprocess.run(argv, cwd=folder, env=environment, capture_output=True).returncode == 0
