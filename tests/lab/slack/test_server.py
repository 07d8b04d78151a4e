"""`python -m lab slack`: prints its address, or one line with the reason why it cannot start."""

import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from lab.slack.server_process import free_port

pytestmark = pytest.mark.processes

ROOT = Path(__file__).parents[3]


def start_server(folder: Path, *options: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "lab", "slack", *options],
        cwd=folder,
        env={"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_prints_its_address_from_any_folder(tmp_path: Path) -> None:
    port = free_port()
    with start_server(tmp_path, "--port", str(port)) as process:
        assert process.stdout
        first_line = process.stdout.readline()
        assert f"http://127.0.0.1:{port}/ " in first_line
        assert f"SLACK_API_URL=http://127.0.0.1:{port}/api/" in first_line
        assert httpx.get(f"http://127.0.0.1:{port}/", trust_env=False).status_code == 200
        process.send_signal(signal.SIGTERM)
        assert process.communicate(timeout=10) == ("", "")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (None, "nosuch.yaml: No such file or directory"),
        ("team: {id: T1}", "workspace.yaml: no workspace: KeyError('app')"),
        ("- a list", "workspace.yaml: no workspace: TypeError"),
        ("{oops", "workspace.yaml: no workspace: "),
        ("team: {}\napp: {manifest: gone.yaml}\nusers: []\ngroups: []\nchannels: []", "gone.yaml: No such file"),
    ],
)
def test_reports_an_invalid_workspace_file_in_one_line(tmp_path: Path, text: str | None, says: str) -> None:
    if text is not None:
        (tmp_path / "workspace.yaml").write_text(text)
    process = start_server(tmp_path, "--config", "workspace.yaml" if text is not None else "nosuch.yaml")
    out, err = process.communicate(timeout=20)
    assert (process.returncode, out, len(err.splitlines())) == (1, "", 1)
    assert err.startswith("lab: ")
    assert says in err


def test_reports_a_port_in_use_in_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as occupied:
        port = occupied.getsockname()[1]
        process = start_server(tmp_path, "--port", str(port))
        out, err = process.communicate(timeout=20)
    assert (process.returncode, out) == (1, "")
    assert err == f"lab: port {port}: Address already in use; choose another with --port N\n"
