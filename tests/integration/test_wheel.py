"""Build the wheel, install it into an empty environment without the repository, and answer a command with it."""

import shutil
import signal
import subprocess
import sys
import urllib.request
import zipfile
from collections.abc import Iterator
from importlib.metadata import PackagePath, distribution
from pathlib import Path

import pytest

from lab.processes import imker_environment
from lab.slack.server_process import free_port, run_fake_slack
from tests.integration.conftest import CAROL, OPS, PATIENCE, _wait_until, _write_config
from tests.support import embedded_redis
from tests.unit.test_install import needed

ROOT = Path(__file__).parents[2]
SOURCES = ("bot", "jobs", "imker", "imker_cli", "lab", "bench", "tests", "pyproject.toml", "README.md", "LICENSE")
PYTHON = {"python_full_version": sys.version.split()[0], "python_version": "{}.{}".format(*sys.version_info)}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel from a copy of the sources, without a network."""
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for name in SOURCES:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, source / name)
    options = ["--no-deps", "--no-build-isolation", "--no-index", "--quiet"]
    subprocess.run([sys.executable, "-m", "pip", "wheel", *options, "-w", str(target), str(source)], check=True)
    (built,) = target.glob("imker-*.whl")
    return built


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Create an environment with the wheel and links to exactly the packages that `imker[all]` requires."""
    folder = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    packages = next(folder.glob("lib/python*/site-packages"))
    for name in sorted(needed("imker", frozenset({"all"}), PYTHON) - {"imker"}):
        link_package(name, packages)
    install = ["--python", str(folder / "bin/python"), "install", "--no-deps", "--no-index", "--quiet", str(wheel)]
    subprocess.run([sys.executable, "-m", "pip", *install], check=True)
    return folder


def link_package(name: str, packages: Path) -> None:
    """Link the files of an installed package: as fast as no installation, and no other package comes with it."""
    installed = distribution(name)
    tops = {file.parts[0] for file in installed.files or () if is_of_package(file)}
    for top in tops:
        link = packages / top
        if not link.exists():
            link.symlink_to(Path(str(installed.locate_file(top))))


def is_of_package(file: PackagePath) -> bool:
    return file.parts[0] not in ("..", "__pycache__")


def run(environment: Path, *arguments: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    argv = [str(environment / "bin/imker"), *arguments]
    return subprocess.run(argv, cwd="/", env=variables, capture_output=True, text=True, timeout=PATIENCE)


def test_the_wheel_holds_the_product_and_its_files(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.partition("/")[0] for name in names if ".dist-info" not in name}
    assert tops == {"bot", "jobs", "imker", "imker_cli"}
    for folder in tops:
        data = {str(path.relative_to(ROOT)) for path in (ROOT / folder).rglob("*") if path.is_file()}
        assert {name for name in data if "__pycache__" not in name} <= set(names)


def test_every_command_runs_without_the_repository(environment: Path) -> None:
    for line in ("version", "--help", "manifest", "schema", "completion zsh", "audit verify --help"):
        completed = run(environment, *line.split())
        assert (completed.returncode, completed.stderr) == (0, ""), line
    assert run(environment, "check").returncode == 1
    assert run(environment, "init").stderr == "imker init asks questions: run it in a terminal.\n"


@pytest.fixture
def folder(tmp_path: Path, redis_folder: Path) -> Iterator[Path]:
    state = redis_folder / "wheel"
    yield tmp_path
    embedded_redis.wait_until_ended(state)


def test_up_answers_a_command(environment: Path, folder: Path, redis_folder: Path) -> None:
    with run_fake_slack() as workspace:
        variables = imker_environment(workspace.url, _write_config(folder, free_port()), redis_folder / "wheel")
        variables["IMKER_METRICS"] = str(port := free_port())
        (folder / ".env").write_text("".join(f"{name}={value}\n" for name, value in variables.items()))
        (folder / ".env").chmod(0o600)
        argv = [str(environment / "bin/imker"), "--config", str(folder / "imker.toml"), "up"]
        with (folder / "log").open("wb") as log, subprocess.Popen(argv, cwd="/", env={}, stdout=log, stderr=log) as up:
            try:
                _wait_until(lambda: workspace.connection_count() > 0, folder / "log")
                assert workspace.say(CAROL, OPS, "/swarm hosts")["acked"]
                workspace.wait_for_message(CAROL, OPS, "4 of 4 hosts are unreachable", PATIENCE)
                check_health(environment, folder, port)
            finally:
                up.send_signal(signal.SIGINT)
            assert up.wait(PATIENCE) == 0
    log = (folder / "log").read_text()
    assert "Traceback" not in log
    for line in ("connected to Slack", "command received", "run queued", "job started", "job ended", "run finished"):
        assert f'"event": "{line}"' in log


def check_health(environment: Path, folder: Path, port: int) -> None:
    """Ask for the health and the metrics of what runs."""
    health = run(environment, "--config", str(folder / "imker.toml"), "health")
    assert (health.returncode, health.stdout.count("pass  ")) == (0, 5), health
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=PATIENCE) as response:
        assert response.read().decode() == health.stdout
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=PATIENCE) as response:
        metrics = response.read().decode()
    for line in ('imker_open_runs{state="waiting"} 0.0', "imker_redis_up 1.0", "imker_slack_connected 1.0"):
        assert line in metrics
