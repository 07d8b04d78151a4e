"""The systemd units start what the Procfile starts, in a sandbox, and stop in time."""

import configparser
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from jobs.execute.packages import UPGRADE_TIMEOUT
from lab.processes import read_procfile

UNITS = {path.stem.removeprefix("imker-"): path for path in Path("deploy").glob("*.service")}
CURRENT = "/opt/imker/current"
MAX_EXPOSURE = 2.5  # of 10, as systemd-analyze rates a sandbox
EACH = {
    "Type": "notify",
    "NotifyAccess": "main",
    "Restart": "always",
    "RestartSec": "5",
    "KillMode": "mixed",
    "NoNewPrivileges": "yes",
    "ProtectSystem": "strict",
    "ProtectHome": "yes",
    "PrivateTmp": "yes",
    "CapabilityBoundingSet": "",
    "UMask": "0077",
    "StateDirectoryMode": "0700",
}
SIDES = {"bot": "bot", "reconciler": "bot", "changes": "jobs", "reads": "jobs"}


def unit(name: str) -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None, delimiters=("=",), strict=False)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(UNITS[name])
    return parser


def test_every_process_has_a_unit() -> None:
    assert set(UNITS) == set(read_procfile()) == set(SIDES)


@pytest.mark.processes
@pytest.mark.parametrize("name", SIDES)
def test_unit_starts_the_procfile_command_from_the_current_release(name: str, tmp_path: Path) -> None:
    release = tmp_path / "releases/1"
    python = release / ".venv/bin/python"
    python.parent.mkdir(parents=True)
    python.write_text('#!/bin/sh\necho "$0" "$@"\n')
    python.chmod(0o755)
    (tmp_path / "current").symlink_to("releases/1")
    line = unit(name)["Service"]["ExecStart"].replace("$$", "$").replace(CURRENT, str(tmp_path / "current"))
    text = subprocess.run(shlex.split(line), capture_output=True, text=True, check=True).stdout.split()
    assert text == [str(python), *read_procfile()[name].split()[1:]]


@pytest.mark.parametrize(("name", "side"), SIDES.items())
def test_unit_is_sandboxed_with_its_own_user_and_secrets(name: str, side: str) -> None:
    service = unit(name)["Service"]
    assert {key: service[key] for key in EACH} == EACH
    assert (service["User"], service["EnvironmentFile"]) == (f"imker-{side}", f"/etc/imker/{side}.env")
    assert service["StateDirectory"] == f"imker-{side}"
    assert f"u imker-{side} " in Path("deploy/imker.sysusers").read_text()
    assert unit(name)["Install"]["WantedBy"] == unit(name)["Unit"]["PartOf"] == "imker.target"


def test_changes_may_stop_later_than_an_upgrade_timeout() -> None:
    minutes = unit("changes")["Service"]["TimeoutStopSec"]
    assert minutes.endswith("min")
    assert int(minutes.removesuffix("min")) * 60 > UPGRADE_TIMEOUT


@pytest.mark.processes
@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not here")
@pytest.mark.parametrize("name", SIDES)
def test_the_sandbox_is_tight(name: str) -> None:
    argv = ["systemd-analyze", "security", "--offline=yes", "--no-pager", str(UNITS[name])]
    output = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    exposure = re.search(r"Overall exposure level for \S+: ([0-9.]+)", output)
    assert exposure
    assert float(exposure[1]) <= MAX_EXPOSURE


def test_the_watchdog_allows_a_slow_slack() -> None:
    """The reconciler reports before each run, and a run waits for a few requests to Slack."""
    from bot.reconciler.__main__ import SLACK_TIMEOUT

    assert int(unit("reconciler")["Service"]["WatchdogSec"]) >= 10 * SLACK_TIMEOUT


@pytest.mark.processes
@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not here")
def test_systemd_accepts_the_units() -> None:
    files = [*map(str, UNITS.values()), "deploy/imker.target"]
    output = subprocess.run(["systemd-analyze", "verify", *files], capture_output=True, text=True)
    assert (output.returncode, output.stderr) == (0, "")
