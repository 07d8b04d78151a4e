"""Parse command lines of `imker`: what each one calls, and how wrong usage ends."""

import subprocess
import sys
from pathlib import Path

import pytest
import shtab

from imker_cli import commands
from imker_cli.__main__ import main
from imker_cli.parser import SHELLS, build_parser

LINES = {  # a command line -> the function that it calls
    "init": "run_init",
    "init --force": "run_init",
    "up": "run_all",
    "bot": "run_bot",
    "reconciler": "run_reconciler",
    "worker changes": "run_workers",
    "worker reads": "run_workers",
    "check --only bot --quiet": "check",
    "doctor --only jobs": "run_doctor",
    "health": "check_health",
    "health redis changes": "check_health",
    "audit verify --unsigned-until 3": "audit",
    "audit export": "audit",
    "repair kaditz": "repair",
    "config": "show_config",
    "schema": "show_schema",
    "manifest": "show_manifest",
    "completion fish": "show_completion",
    "version": "show_version",
}
WRONG = (
    "",
    "frobnicate",
    "worker",
    "worker other",
    "audit",
    "audit verify --head x",
    "repair",
    "check --only x",
    "health x",
    "-x",
)


@pytest.mark.parametrize("line", LINES)
def test_calls_a_function_for_each_command(line: str) -> None:
    handler = build_parser().parse_args(line.split()).handler
    assert handler == LINES[line]
    assert callable(getattr(commands, handler))


@pytest.mark.parametrize("line", WRONG)
def test_wrong_usage_ends_with_2_and_an_explanation(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    try:
        status = main(line.split())
    except SystemExit as ended:
        status = int(ended.code or 0)
    printed = capsys.readouterr()
    assert status == 2
    assert printed.err.startswith("usage: imker")
    assert printed.out == ""


@pytest.mark.parametrize("line", ["--help", *(f"{line} --help" for line in ("up", "worker", "audit verify", "check"))])
def test_help_is_printed_to_stdout(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(line.split())
    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith("usage: imker")


def test_every_command_is_described() -> None:
    """Find a summary in the help for each command, and a description in the command's own help."""
    (action,) = [action for action in build_parser()._actions if action.dest == "command"]
    assert set(action.choices or ()) == {line.split()[0] for line in LINES}
    for name, parser in dict(action.choices or {}).items():
        assert parser.description.endswith("."), name


@pytest.mark.parametrize("shell", SHELLS)
def test_completion_of_each_shell_knows_all_commands(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    """`make generated` writes the scripts."""
    assert main(["completion", shell]) == 0
    assert capsys.readouterr().out == shtab.complete(build_parser(), shell) + "\n"


def test_prints_the_manifest(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["manifest"]) == 0
    assert capsys.readouterr().out == Path("bot/manifest.yaml").read_text()


@pytest.mark.parametrize("line", [["version"], ["--version"]])
def test_prints_the_version(line: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(line) == 0
    assert capsys.readouterr().out.startswith("imker 0.")


@pytest.mark.processes
def test_version_imports_nothing_heavy() -> None:
    code = "import sys; from imker_cli.__main__ import main; main(['version']); print(*sys.modules)"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    heavy = {"pydantic", "redis", "rq", "slack_sdk", "docker", "paramiko", "structlog", "bot", "jobs"}
    assert heavy & set(printed.split()) == set()


@pytest.mark.processes
@pytest.mark.parametrize(("package", "line"), [("docker", "worker changes"), ("slack_bolt", "bot")])
def test_a_missing_package_is_named_with_its_extra(package: str, line: str) -> None:
    code = f"import sys; sys.modules[{package!r}] = None; from imker_cli.__main__ import main; sys.exit(main())"
    ended = subprocess.run([sys.executable, "-c", code, *line.split()], capture_output=True, text=True)
    extra = "jobs" if package == "docker" else "bot"
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr == f"The package {package} is not installed. Install 'imker[{extra}]'.\n"
