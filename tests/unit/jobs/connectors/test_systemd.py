"""Test how a unit is followed: the real script and real processes, with stand-ins for systemctl and journalctl."""

import stat
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from jobs.connectors import systemd
from jobs.connectors.script_files import load_script
from jobs.connectors.shell import LOSSLESS_ERRORS, Command, Output, script
from tests.support.local_shell import LocalShell

pytestmark = pytest.mark.processes

SYSTEMCTL = """#!/bin/sh
folder=$(dirname "$0")
state='ActiveState=active SubState=running'
kill -0 "$(cat "$folder/pid")" 2>/dev/null || state='ActiveState=failed SubState=failed'
for word in LoadState=loaded $state ExecMainStatus=100 MainPID=$(cat "$folder/pid"); do
  case " $* " in *" -p${word%%=*} "*) echo "$word" ;; esac
done
case " $* " in *" -pDescription "*) echo "Description=Imker: docker.io=26" ;; esac
"""
JOURNALCTL = """#!/bin/sh
case "$*" in
  *--sync*) ;;
  *" -f "*) exec tail -n 1 -f "$(dirname "$0")/log" ;;
  *) tail -n 60 "$(dirname "$0")/log" ;;
esac
"""


@dataclass
class Host(LocalShell):
    """A shell whose systemd knows one unit, which is a process of this machine."""

    folder: Path

    def run(self, command: Command) -> Output:
        environment = {"PATH": f"{self.folder}:/usr/bin:/bin"}
        with subprocess.Popen(
            command.words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, text=True
        ) as running:
            assert running.stdout
            assert running.stderr
            for line in running.stderr:
                if command.on_line:
                    command.on_line(line.rstrip())
            return Output(running.wait(), running.stdout.read(), "").check(self.host, command)


@pytest.fixture
def host(tmp_path: Path) -> Host:
    for name, text in (("systemctl", SYSTEMCTL), ("journalctl", JOURNALCTL)):
        path = tmp_path / name
        path.write_text(text)
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
    (tmp_path / "log").write_text("Started the unit\n")
    return Host(tmp_path)


@pytest.fixture
def process(host: Host) -> Iterator[subprocess.Popen[bytes]]:
    text = 'sleep 0.5; echo "Unpacking" >> "$1"; sleep 0.5; echo "E: failed" >> "$1"'
    with subprocess.Popen(script(text, str(host.folder / "log"))) as running:
        (host.folder / "pid").write_text(str(running.pid))
        yield running
        running.kill()


def test_reports_lines_and_the_end_as_they_come(host: Host, process: subprocess.Popen[bytes]) -> None:
    lines: list[str] = []
    ended_at: list[float] = []
    reaper = threading.Thread(target=lambda: (process.wait(), ended_at.append(time.monotonic())))
    reaper.start()
    state, output = systemd.follow_unit(host, "imker-upgrade.service", 60, lines.append)
    seen_at = time.monotonic()
    reaper.join()
    assert (state.active_state, state.exit_status, state.description) == ("failed", 100, "Imker: docker.io=26")
    assert output == "Started the unit\nUnpacking\nE: failed\n"
    assert lines[:2] == ["Started the unit", "Unpacking"]
    assert seen_at - ended_at[0] < 5


def test_ends_after_its_time_while_the_unit_runs(
    host: Host, process: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(systemd, "FOLLOW_SECONDS", 0.1)
    state, output = systemd.follow_unit(host, "imker-upgrade.service", 60, lambda line: None)
    assert (state.running, output) == (True, "Started the unit\n")


def test_returns_at_once_if_the_unit_has_ended(host: Host) -> None:
    (host.folder / "pid").write_text("0x")
    state, output = systemd.follow_unit(host, "imker-upgrade.service", 60, lambda line: None)
    assert (state.running, output) == (False, "Started the unit\n")


@pytest.mark.parametrize("file", ["conffile", "missing", ""])
def test_resets_a_unit_and_prints_a_file(host: Host, file: str) -> None:
    (host.folder / "pid").write_text("0x")
    path = host.folder / "conffile"
    path.write_bytes(b"K\xf6ln\n")
    text = systemd.end_unit(LocalShell(), "imker-no-such-unit.service", str(host.folder / file) if file else "")
    assert text.encode(errors=LOSSLESS_ERRORS) == (b"K\xf6ln\n" if file == "conffile" else b"")


@pytest.mark.parametrize(
    ("names", "code"), [(".", 0), ("web\n.", 0), ("web\ncache\n.", 0), ("", 1), ("web", 1), ("web\nca", 1), ("web.", 1)]
)
def test_reads_no_list_of_names_that_is_cut_short(names: str, code: int) -> None:
    text = load_script("names") + "read_names; printf '%s' \"$names\""
    result = subprocess.run(script(text), input=names, capture_output=True, text=True)
    assert (result.returncode, result.stdout) == (code, "" if code else names[:-1])
