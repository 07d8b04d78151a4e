"""Test the scripts that print a host's state with a real shell, and that simulated hosts answer in the same form."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.connectors import fenced_shell, files, systemd
from jobs.connectors.shell import Command, Output, script, sudo
from jobs.errors import CommandFailed, JobError, Unreachable
from jobs.facts.option_files import FILE, MODIFIED
from jobs.facts.sections import Sections, parse_sections
from jobs.gather.host import gather_host
from jobs.gather.host_script import (
    CONTAINERS,
    NAMED_FILES,
    OPTIONS,
    SCRIPTS,
    STATE,
    read_sections,
    script_text,
    section_names,
)
from jobs.inventory.model import Host
from jobs.settings import EngineSection
from lab.simulated.commands import run_line
from lab.simulated.fleet import select_hosts
from lab.simulated.world import World
from tests.support.local_shell import LocalShell
from tests.support.sections import empty_host, format_answer

pytestmark = pytest.mark.processes

ARGUMENTS = ("root", "/etc/apt/sources.list.d/docker.list", "", "")
ALL = (OPTIONS, CONTAINERS, STATE)


def run_lines(lines: str, *arguments: str) -> Sections:
    """Return the sections of a script that has these lines."""
    text = f"{(SCRIPTS / 'sections.sh').read_text()}{lines}\nprint_sections\n"
    answer = subprocess.run(script(text, *arguments), capture_output=True, check=True, timeout=60).stdout
    return parse_sections(answer, ())


@settings(max_examples=25)
@given(st.lists(st.binary(max_size=2000), min_size=1, max_size=4))
def test_any_bytes_survive_a_real_shell(tmp_path_factory: pytest.TempPathFactory, outputs: list[bytes]) -> None:
    folder = tmp_path_factory.mktemp("bytes")
    for number, output in enumerate(outputs):
        (folder / str(number)).write_bytes(output)
    lines = "\n".join(f'section {number} cat "$1/{number}"' for number in range(len(outputs)))
    assert [section.raw for section in run_lines(lines, str(folder)).values()] == outputs


def test_keeps_the_order_status_and_name_of_each_section() -> None:
    sections = run_lines(
        "background slow sh -c 'sleep 0.2; echo late'\nsection none no-such-tool\nsection 'a b' sh -c 'echo x; exit 3'"
    )
    results = {name: (section.status, section.text) for name, section in sections.items()}
    assert results == {"slow": (0, "late\n"), "none": (127, ""), "a b": (3, "x\n")}
    assert list(results) == ["slow", "none", "a b"]


def test_ends_a_command_that_floods() -> None:
    flood = run_lines("section flood sh -c 'yes | head -c 50000000'\nsection next echo on")
    assert flood["flood"].status
    assert len(flood["flood"].raw) <= 8 * 2**20
    assert flood["next"].text == "on\n"


def test_leaves_nothing_behind(tmp_path: Path) -> None:
    env = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "TMPDIR": str(tmp_path)}
    before = set(Path("/run").glob("tmp.*"))
    subprocess.run(script(script_text(*ALL), *ARGUMENTS), capture_output=True, check=True, env=env, timeout=60)
    assert list(tmp_path.iterdir()) == []
    assert set(Path("/run").glob("tmp.*")) <= before


@pytest.fixture
def systemctl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Provide a `systemctl` that prints nothing: this machine may have no systemd."""
    (tmp_path / "systemctl").write_text("#!/bin/sh\n")
    (tmp_path / "systemctl").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")


@pytest.mark.usefixtures("systemctl")
def test_reads_this_machine() -> None:
    """Whatever is installed here: each section is there."""
    sections = read_sections(LocalShell(), *ALL, arguments=ARGUMENTS)
    assert set(section_names(*ALL)) <= set(sections)
    assert sections["hostname"].text == Path("/proc/sys/kernel/hostname").read_text()
    assert sections["groups"].text.split()[0] == "root"


def test_the_scripts_read_the_files_that_imker_writes() -> None:
    text = script_text(*ALL)
    for path in (files.RUNNING_CONTAINERS_FILE, files.ROLLBACK_FILE, fenced_shell.FENCE_FILE, systemd.UPGRADE_UNIT):
        assert f" {path}" in text


def test_finds_the_holder_of_a_lock(tmp_path: Path) -> None:
    """A process holds the lock with fcntl, as dpkg does."""
    lock = tmp_path / "lock"
    lines = "import fcntl, sys", "file = open(sys.argv[1], 'w')", "fcntl.lockf(file, fcntl.LOCK_EX)", "print(1)"
    holder = "\n".join((*lines, "sys.stdout.flush()", "input()"))
    text = (SCRIPTS / "host_state.sh").read_text()
    function = text[text.index("lock_holder() {") : text.index("section packages")]
    locks = f"{function.replace('/var/lib/dpkg', str(tmp_path))}\nsection locks lock_holder"
    with subprocess.Popen(
        ["python3", "-c", holder, str(lock)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        process.stdout.readline()
        (tmp_path / "lock-frontend").touch()
        assert run_lines(locks)["locks"].text.split()[0] == str(process.pid)
        process.communicate("\n")
    assert run_lines(locks)["locks"].text == ""


def test_reads_the_files_that_options_name(tmp_path: Path) -> None:
    (tmp_path / "server.pem").write_text("a certificate\n")
    named = (str(tmp_path / "server.pem"), str(tmp_path / "gone.pem"), "")
    sections = read_sections(LocalShell(), NAMED_FILES, arguments=("", *named))
    assert sections["certificate"].text == "a certificate\n"
    assert sections["unreadable"].text == f"{named[1]}\n"


# --- simulated hosts -----------------------------------------------------------------------------------------------


class SimulatedShell:
    """A shell of a simulated host, without SSH."""

    host = "tondi"

    def __init__(self) -> None:
        self.world = World(select_hosts(("tondi",)), {})

    def run(self, command: Command) -> Output:
        output = run_line(self.world.machines["tondi"], command.line, command.stdin, "test")
        raw = output.stdout.encode(errors="surrogateescape")
        return Output(output.exit_status, output.stdout, output.stderr, raw).check(self.host, command)

    def reconnect(self) -> None:
        """Do nothing: no connection can be lost."""


@pytest.fixture
def simulated() -> Iterator[SimulatedShell]:
    shell = SimulatedShell()
    yield shell
    assert shell.world.history.unknown_requests == []


@pytest.mark.usefixtures("systemctl")
@pytest.mark.parametrize(("scripts", "arguments"), [(ALL, ARGUMENTS), ((NAMED_FILES,), ("", "/a", "/b", ""))])
def test_a_simulated_host_answers_in_the_form_of_a_real_one(
    simulated: SimulatedShell, scripts: tuple[str, ...], arguments: tuple[str, ...]
) -> None:
    real = read_sections(LocalShell(), *scripts, arguments=arguments)
    answer = read_sections(simulated, *scripts, arguments=arguments)
    assert _fixed_names(answer) == _fixed_names(real)


def _fixed_names(sections: Sections) -> list[str]:
    """Return the names in order, without those of option files, which differ from host to host."""
    return [name for name in sections if not name.startswith((FILE, MODIFIED))]


def test_a_simulated_host_prints_its_option_files(simulated: SimulatedShell) -> None:
    machine = simulated.world.machines["tondi"]
    machine.disk.write("/etc/default/docker.imker-1", "A=1\n")
    sections = read_sections(simulated, *ALL, arguments=ARGUMENTS)
    assert sections["file /etc/default/docker"].file_text == machine.disk.texts["/etc/default/docker"]
    assert sections["file /etc/default/docker.imker-1"].file_text == "A=1\n"
    assert "modified /etc/default/docker" in sections


# --- hostile answers ----------------------------------------------------------------------------------------------


class Answers:
    """A host that answers every command with these bytes."""

    host = "kaditz"

    def __init__(self, answer: bytes) -> None:
        self.answer = answer

    def run(self, command: Command) -> Output:
        return Output(0, self.answer.decode(errors="replace"), "", self.answer)

    def reconnect(self) -> None:
        """Do nothing: no connection can be lost."""


def gather(answer: bytes) -> object:
    return gather_host(Answers(answer), Host("kaditz", "198.18.0.39"), EngineSection(), Unreachable("no answer"))


INVALID = {
    "clocks": "yesterday",
    "info": "{",
    "containers": "[{}]",
    "unit": "ExecMainStartTimestampMonotonic=soon\nFragmentPath=/u",
}


@pytest.mark.parametrize("name", INVALID)
def test_reports_a_malformed_section_as_a_failed_check(name: str) -> None:
    running = '{"ServerVersion": "20.10.24"}'
    texts = {"info": running, f"{FILE}/u": "", f"{MODIFIED}/u": "1", name: INVALID[name]}
    with pytest.raises(JobError, match="kaditz returned its state in an unexpected form") as failed:
        gather(format_answer(empty_host(**texts)))
    assert (failed.value.check, failed.value.host) == ("host state", "kaditz")
    assert failed.value.hint


@given(
    st.one_of(
        st.binary(max_size=200), st.builds(lambda tail: format_answer(empty_host()) + tail, st.binary(min_size=1))
    )
)
def test_any_answer_is_at_worst_a_failed_check(answer: bytes) -> None:
    with pytest.raises(JobError) as failed:
        gather(answer)
    assert failed.value.check == "host state"


@given(st.sampled_from(section_names(*ALL)), st.text())
def test_any_section_is_at_worst_a_job_error(name: str, text: str) -> None:
    try:
        gather(format_answer(empty_host(**{name: text})))
    except JobError:
        return


def test_reports_a_script_that_cannot_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "sh").symlink_to("/bin/sh")
    with pytest.raises(CommandFailed, match="sh failed on kaditz"):
        LocalShell().run(sudo(*script(script_text(*ALL), *ARGUMENTS)))
    assert os.environ["PATH"] == str(tmp_path)
