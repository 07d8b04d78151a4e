"""Run `imker init` in a terminal, with the fake Slack and simulated hosts: from an empty folder to a green doctor."""

import os
import signal
import stat
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from dotenv import dotenv_values

from lab.simulated.fleet import SSH_PORT, Fleet, run_fleet, select_hosts
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
    terminal.answer("Are all new keys right", "yes")


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


def ansible_inventory(fleet: Fleet) -> str:
    hosts = "".join(f"{host.name} ansible_host={host.address}\n" for host in fleet.hosts)
    variables = f"ansible_user=geschke\nansible_port={SSH_PORT}\nansible_ssh_private_key_file={user_key(fleet)}\n"
    return f"[docker]\n{hosts}[docker:vars]\n{variables}[others]\nmail\n"


def ssh_config(fleet: Fleet) -> str:
    hosts = "".join(f"Host {host.name}\n  HostName {host.address}\n" for host in fleet.hosts)
    return f"{hosts}Host *\n  User geschke\n  Port {SSH_PORT}\n  IdentityFile {user_key(fleet)}\n"


def user_key(fleet: Fleet) -> Path:
    return fleet.folder.resolve() / "ssh/id_ed25519"


@pytest.mark.parametrize(("render", "chosen"), [(ansible_inventory, " docker"), (ssh_config, "")])
def test_takes_hosts_from_other_inventories(
    render: Callable[[Fleet], str], chosen: str, fleet: Fleet, folder: Path, environment: dict[str, str]
) -> None:
    """Reach a green doctor without TLS files: the Engines are reached over SSH."""
    (folder.parent / "inventory").write_text(render(fleet))
    with run_in_terminal(INIT, folder, environment) as terminal:
        answer_all(terminal, f"../inventory{chosen}")
        assert (terminal.wait(), "fail  " in terminal.screen) == (0, False), terminal.screen
    assert terminal.answers <= MAX_ANSWERS
    assert terminal.screen.count("pass  Engine of") == len(HOSTS)
    assert tomllib.loads((folder / "imker.toml").read_text())["inventory"]["engine_over"] == "ssh"


def test_explains_each_mistake_and_writes_nothing_after_ctrl_c(
    fleet: Fleet, folder: Path, environment: dict[str, str]
) -> None:
    with run_in_terminal(INIT, folder, environment) as terminal:
        terminal.answer("Bot token", "xapp-lab")
        terminal.wait_for("This is the xapp-… token. Enter the one that starts with xoxb-")
        terminal.answer("Bot token", "xoxb-wrong")
        terminal.wait_for("bot token: Slack rejected it: invalid_auth")
        terminal.answer("Bot token", "xoxb-lab")
        terminal.answer("App-level token", "xapp-wrong")
        terminal.wait_for("app token: Slack rejected it: invalid_auth")
        terminal.answer("App-level token", "xapp-lab")
        terminal.answer("Channel", "dev")
        terminal.wait_for("The bot is not in #dev: type `/invite @imker` in it")
        terminal.answer("Channel", "")
        terminal.answer("Who may change hosts", "gregor")  # a guest
        terminal.wait_for("no member or user group gregor that can use Imker")
        terminal.answer("Who may change hosts", "alice")
        terminal.answer("Who may accept managers", "alice")
        terminal.answer("May alice accept own requests", "no")
        terminal.answer("Who may accept managers", "bob")
        terminal.answer("\nHosts", "./none")
        terminal.wait_for("none does not exist")
        terminal.answer("Hosts", "kaditz=geschke@127.0.0.1")
        terminal.wait_for("[hosts.kaditz] ssh_key: missing")
        terminal.answer("Hosts", str(fleet.folder / "docker-machine"))
        terminal.answer("managers", "leipzig")
        terminal.wait_for("There is no host leipzig. The hosts are connewitz, kaditz, tondi")
        terminal.wait_for("managers")
        assert terminal.interrupt() == 1
    assert "Stopped: no file was written." in terminal.screen
    assert "Traceback" not in terminal.screen
    assert list(folder.iterdir()) == []


def test_refuses_a_host_key_that_differs_from_a_known_one(
    fleet: Fleet, folder: Path, environment: dict[str, str]
) -> None:
    keys = dict(line.split(" ", 1) for line in (fleet.folder / "known_hosts").read_text().splitlines())
    (first, _), (_, other), *_ = keys.items()
    user_file = folder.parent / "home/.ssh/known_hosts"
    user_file.parent.mkdir()
    user_file.write_text(f"{first} {other}\n")
    with run_in_terminal(INIT, folder, environment) as terminal:
        for question, text in (("Bot token", "xoxb-lab"), ("App-level token", "xapp-lab"), ("Channel", "ops")):
            terminal.answer(question, text)
        for question, text in (("Who may change", "alice"), ("Who may accept", "bob")):
            terminal.answer(question, text)
        terminal.answer("\nHosts", str(fleet.folder / "docker-machine"))
        terminal.answer("managers", "")
        assert terminal.wait() == 1
    assert "differs from the one in ~/.ssh/known_hosts" in terminal.screen
    assert list(folder.iterdir()) == []


def test_keeps_existing_files_and_replaces_them_only_by_force(
    fleet: Fleet, folder: Path, environment: dict[str, str]
) -> None:
    (folder / "imker.toml").write_text(f"""
[slack]
channels = ["{OPS}"]
[rights]
change = ["U01ALICE"]
accept = ["U02BOB"]
read = ["*"]
[inventory]
docker_machine = "{fleet.folder.resolve()}/docker-machine"
known_hosts = "{fleet.folder.resolve()}/known_hosts"
""")
    (folder / ".env").write_text("IMKER_AUDIT_KEY=audit-key\n# mine\n")
    (folder / ".env").chmod(0o600)
    before = (folder / "imker.toml").read_text()
    with run_in_terminal(INIT, folder, environment) as terminal:
        terminal.answer("Type keep to keep it", "")
        assert terminal.wait() == 1
    assert "SLACK_BOT_TOKEN" not in (folder / ".env").read_text()
    with run_in_terminal(INIT, folder, {**environment, "SLACK_APP_TOKEN_FILE": token_file(folder.parent)}) as terminal:
        terminal.answer("Type keep to keep it", "keep")
        terminal.answer("Bot token", "xoxb-lab")
        assert terminal.wait() == 0, terminal.screen
    assert (folder / "imker.toml").read_text() == before
    lines = (folder / ".env").read_text().splitlines()
    assert lines[:3] == ["IMKER_AUDIT_KEY=audit-key", "# mine", "SLACK_BOT_TOKEN=xoxb-lab"]
    assert [line.partition("=")[0] for line in lines[3:]] == ["IMKER_SIGNING_KEY"]  # the app token is in its own file
    with run_in_terminal([*INIT, "--force"], folder, environment) as terminal:
        answer_all(terminal, str(fleet.folder / "docker-machine"))
        assert terminal.wait() == 0, terminal.screen
    assert "team" in tomllib.loads((folder / "imker.toml").read_text())["slack"]
    assert (folder / "imker.toml.old").read_text() == before
    assert lines[:2] + lines[3:] == (folder / ".env").read_text().splitlines()[:3]


def token_file(folder: Path) -> str:
    """Write the app-level token to a file of its own."""
    (folder / "app-token").write_text("xapp-lab")
    (folder / "app-token").chmod(0o600)
    return str(folder / "app-token")


def test_needs_a_terminal(folder: Path, environment: dict[str, str]) -> None:
    ended = subprocess.run(INIT, cwd=folder, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert (ended.returncode, ended.stderr) == (2, "imker init asks questions: run it in a terminal.\n")


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
