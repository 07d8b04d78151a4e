"""Test that options are read from all files that systemd names, with a real shell and a `systemctl` of the test."""

import os
from pathlib import Path

import pytest

from jobs.daemon_options import argv
from jobs.errors import CommandFailed, JobError
from jobs.facts.option_files import changed_since_start
from jobs.gather.host_script import OPTIONS, read_sections
from jobs.gather.options import read_options
from tests.support.local_shell import LocalShell

pytestmark = pytest.mark.processes
LATIN = "# für Köln\n".encode("latin-1")


class Etc:
    """A folder with option files. `systemctl` prints these properties."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.tool = folder / "bin/systemctl"
        self.tool.parent.mkdir()
        patch.setenv("PATH", f"{self.tool.parent}:{os.environ['PATH']}")

    def write(self, name: str, text: str | bytes) -> str:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return str(path)

    def print_properties(self, text: str, code: int = 0) -> None:
        self.write("properties", text.replace("FOLDER", str(self.folder)))
        self.tool.write_text(f"#!/bin/sh\ncat {self.folder}/properties; exit {code}\n")
        self.tool.chmod(0o755)

    def read(self) -> dict[str, str]:
        """Return the files in the folder that were read, by their path in it."""
        files = read_options(LocalShell()).files
        return {
            path.removeprefix(f"{self.folder}/"): files[path] for path in files if path.startswith(str(self.folder))
        }


@pytest.fixture
def etc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Etc:
    etc = Etc(tmp_path, monkeypatch)
    etc.print_properties(f"FragmentPath=FOLDER/docker.service\nDropInPaths=\nMainPID={os.getpid()}\n")
    return etc


def test_gathers_options_from_all_files_that_systemd_names(etc: Etc) -> None:
    etc.print_properties(
        "FragmentPath=FOLDER/docker.service\nDropInPaths=FOLDER/d/1.conf FOLDER/d/gone.conf\nMainPID=0\n"
        "EnvironmentFiles=FOLDER/default (ignore_errors=yes)\n"
        "EnvironmentFiles=FOLDER/my store.env (ignore_errors=no)\n"
        "EnvironmentFiles=FOLDER/more/*.env (ignore_errors=yes)\n"
    )
    files = {
        "docker.service": "[Service]\nExecStart=/usr/bin/dockerd --config-file=FOLDER/srv.json -H $PLACE $STORE\n",
        "d/1.conf": "[Service]\nEnvironment=PLACE=%H\n",
        "default": "STORE=--cluster-store=consul://a\n",
        "my store.env": "STORE=--tls\n",
        "more/1.env": "A=1\n",
        "more/2.env": "STORE=-D\n",
        "srv.json": '{"live-restore": true}',
    }
    files = {name: text.replace("FOLDER", str(etc.folder)) for name, text in files.items()}
    for name, text in files.items():
        etc.write(name, text)
    etc.write("more/3.txt", "not read")
    options = read_options(LocalShell())
    assert options.unit.environment_files == (
        f"-{etc.folder}/default",
        f"{etc.folder}/my store.env",
        f"-{etc.folder}/more/1.env",
        f"-{etc.folder}/more/2.env",
    )
    assert etc.read() == files
    assert options.command_line == ()
    assert argv(options)[1:] == ("-H", Path("/proc/sys/kernel/hostname").read_text().strip(), "-D")


def test_a_file_of_any_bytes_can_be_written_back(etc: Etc) -> None:
    etc.write("docker.service", LATIN)
    assert etc.read()["docker.service"].encode(errors="surrogateescape") == LATIN


def test_reads_the_newest_backup_with_options_in_it(etc: Etc) -> None:
    path = etc.write("docker.service", "")
    for suffix, text in (("1", "A=old\n"), ("2", "A=new\n"), ("3", "# nothing\n")):
        etc.write(f"docker.service.imker-{suffix}", text)
    assert read_options(LocalShell()).saved[path] == "A=new\n"
    etc.write("docker.service.imker-2", "")
    etc.write("docker.service.imker-1", "")
    assert read_options(LocalShell()).saved[path] == "# nothing\n"


def test_reads_the_command_line_of_the_running_daemon(etc: Etc) -> None:
    etc.write("docker.service", "")
    arguments = Path(f"/proc/{os.getpid()}/cmdline").read_bytes().split(b"\0")[:-1]
    assert [word.encode() for word in read_options(LocalShell()).command_line] == arguments


@pytest.mark.parametrize(("seconds", "changed"), [(-100, False), (100, True)])
def test_compares_modification_times_with_the_daemons_start(etc: Etc, seconds: float, changed: bool) -> None:
    started_after_boot = float(Path("/proc/uptime").read_text().split()[0])
    etc.print_properties(
        "FragmentPath=FOLDER/docker.service\nMainPID=0\n"
        f"ExecMainStartTimestampMonotonic={int(started_after_boot * 1e6)}\n"
    )
    path = etc.write("docker.service", "")
    now = Path(path).stat().st_mtime
    os.utime(path, (now + seconds, now + seconds))
    sections = read_sections(LocalShell(), OPTIONS)
    (options,) = [read_options(LocalShell())]
    only = {name: text for name, text in options.files.items() if name == path}
    assert changed_since_start(type(options)(options.unit, only), sections) is changed


def test_rejects_a_file_that_is_too_long(etc: Etc) -> None:
    etc.write("docker.service", "x" * 2**16)
    assert len(etc.read()["docker.service"]) == 2**16
    etc.write("docker.service", "x" * 10 * 2**20)
    with pytest.raises(JobError, match=r"docker.service on kaditz is larger than 64 KB") as failed:
        read_options(LocalShell())
    assert failed.value.check == "options not understood"


def test_does_not_wait_for_a_named_pipe(etc: Etc) -> None:
    os.mkfifo(etc.folder / "docker.service")
    assert etc.read() == {}


def test_reports_a_systemd_that_does_not_answer(etc: Etc) -> None:
    etc.print_properties("FragmentPath=FOLDER/docker.service\n", code=1)
    with pytest.raises(CommandFailed, match=r"systemctl show failed on kaditz \(exit 1\)"):
        read_options(LocalShell())
