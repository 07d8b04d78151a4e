"""Test that options are read from all files that systemd names."""

import subprocess
from fnmatch import fnmatch
from pathlib import Path

import pytest

from jobs.connectors.shell import Command, Output
from jobs.daemon_options import argv
from jobs.gather.options import EXPAND_SCRIPT, read_options


class Disk:
    """A shell with files, properties of docker.service, and the expansion of a pattern."""

    host = "a"

    def __init__(self, files: dict[str, str], properties_text: str) -> None:
        self.files, self.properties_text = files, properties_text

    def run(self, command: Command) -> Output:
        argv = command.argv
        if argv[0] == "systemctl":
            return Output(0, self.properties_text, "")
        if argv[:2] == ("sh", "-c") and argv[2] == EXPAND_SCRIPT:
            return Output(0, "".join(f"{path}\n" for path in self.files if fnmatch(path, argv[4])), "")
        if argv[0] == "cat":
            return Output(0, self.files[argv[-1]], "") if argv[-1] in self.files else Output(1, "", "No such file")
        return Output(0, "", "")

    def reconnect(self) -> None: ...


UNIT = "/etc/systemd/system/docker.service"


def test_gathers_options_from_all_files_that_systemd_names() -> None:
    properties_text = (
        f"FragmentPath={UNIT}\nDropInPaths=\nMainPID=7\n"
        "EnvironmentFiles=/etc/default/docker (ignore_errors=yes)\n"
        "EnvironmentFiles=/etc/docker/my store.env (ignore_errors=no)\n"
        "EnvironmentFiles=/etc/docker/more/*.env (ignore_errors=yes)\n"
    )
    files = {
        UNIT: "[Service]\nExecStart=/usr/bin/dockerd --config-file=/srv/docker.json --label on=%H $STORE\n",
        "/etc/default/docker": "STORE=--cluster-store=consul://a\n",
        "/etc/docker/my store.env": "STORE=--tls\n",
        "/etc/docker/more/1.env": "A=1\n",
        "/etc/docker/more/2.env": "STORE=-D\n",
        "/srv/docker.json": '{"live-restore": true}',
        "/proc/7/cmdline": "/usr/bin/dockerd\0-D\0",
        "/proc/sys/kernel/hostname": "kaditz\n",
    }
    options = read_options(Disk(files, properties_text))
    assert options.unit.environment_files == (
        "-/etc/default/docker",
        "/etc/docker/my store.env",
        "-/etc/docker/more/1.env",
        "-/etc/docker/more/2.env",
    )
    assert options.files == {path: text for path, text in files.items() if not path.startswith("/proc")}
    assert options.command_line == ("/usr/bin/dockerd", "-D")
    assert argv(options) == ("--config-file=/srv/docker.json", "--label", "on=kaditz", "-D")


@pytest.mark.processes
def test_expands_a_pattern_with_a_shell(tmp_path: Path) -> None:
    for name in ("b.env", "a.env", "c.txt"):
        (tmp_path / name).touch()
    output = subprocess.run(["sh", "-c", EXPAND_SCRIPT, "imker", f"{tmp_path}/*.env"], capture_output=True, check=True)
    assert output.stdout.decode() == f"{tmp_path}/a.env\n{tmp_path}/b.env\n"
    none = subprocess.run(["sh", "-c", EXPAND_SCRIPT, "imker", f"{tmp_path}/*.not"], capture_output=True, check=True)
    assert none.stdout == b""
