"""Test the script that starts containers, with a stand-in for docker that keeps a container as a file."""

import stat
import subprocess
from pathlib import Path

import pytest

from jobs.connectors.files import name_list
from jobs.connectors.script_files import load_script
from jobs.connectors.shell import script

pytestmark = pytest.mark.processes

DOCKER = """#!/bin/sh
cd "$(dirname "$0")"
echo "$*" >> log
case $1 in
  ps) ls running ;;
  start) case $2 in fails*) exit 1 ;; slow*) [ -e "$2" ] || { touch "$2"; exit 1; } ;; esac; touch "running/$2" ;;
esac
"""
PS = "ps --format {{.Names}}"


@pytest.mark.parametrize(
    ("running", "names", "expected", "commands"),
    [
        (["web"], ["web"], ["web"], [PS]),
        ([], [], [], [PS]),
        (["other"], [], ["other"], [PS]),
        ([], ["web"], ["web"], [PS, "start web", PS, PS]),
        (["web"], ["web.1", "we"], ["we", "web", "web.1"], [PS, "start web.1", "start we", PS, PS]),
        (["web"], ["web", "slow"], ["slow", "web"], [PS, "start slow", PS, PS, "start slow", PS]),
        ([], ["fails", "web"], ["web"], [PS, "start fails", "start web", PS, PS, "start fails", PS]),
    ],
)
def test_starts_only_stopped_containers_twice_at_most(
    tmp_path: Path, running: list[str], names: list[str], expected: list[str], commands: list[str]
) -> None:
    docker, saved = tmp_path / "docker", tmp_path / "saved file"
    docker.write_text(DOCKER)
    docker.chmod(docker.stat().st_mode | stat.S_IXUSR)
    saved.touch()
    (tmp_path / "running").mkdir()
    for name in running:
        (tmp_path / "running" / name).touch()
    result = subprocess.run(
        script(load_script("names", "start_containers"), "5", str(saved)),
        input=name_list(names),
        capture_output=True,
        text=True,
        env={"PATH": f"{tmp_path}:/usr/bin:/bin"},
    )
    assert (result.returncode, result.stderr) == (0, "")
    assert sorted(result.stdout.split()) == expected
    assert (tmp_path / "log").read_text().splitlines() == commands
    assert not saved.exists()
