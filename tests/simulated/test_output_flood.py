"""Receive a hundred megabytes from a host: an RQ worker keeps only the end, with little memory."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lab.simulated import ssh_server
from lab.simulated.fleet import run_fleet, select_hosts
from lab.simulated.output import Output
from tests.support.figures import record_figure

MB, SENT, MOST = 2**20, 100, 30  # bytes; MB that the host sends; MB that the RQ worker may take for it
END = "and this was the end\n"
ASKS = """
from pathlib import Path
from jobs.connectors.shell import command
from jobs.connectors.ssh import SshShell
from jobs.inventory.hosts import load_inventory
from jobs.settings import load_settings

def peak():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024

loaded = load_settings()
with SshShell(load_inventory(loaded)["lausen"], loaded.inventory.known_hosts) as shell:
    shell.run(command("flood", "nothing"))
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins here
    before = peak()
    output = shell.run(command("flood"))
    print(f"{peak() - before:.1f}", repr((output.stdout or output.stderr)[-21:]))
"""


FLOODS = {
    "lines": lambda: Output(stdout=("x" * 79 + "\n") * (SENT * MB // 80) + END),
    "one line": lambda: Output(stdout="x" * SENT * MB + END),
    "stderr": lambda: Output(stderr="x" * SENT * MB + END),
    "no text": lambda: Output(stdout="\udcff\udc80\udce2\udc82" * (SENT * MB // 4) + END),
}


@pytest.mark.parametrize("kind", FLOODS)
@pytest.mark.figures
def test_keeps_only_the_end_of_a_flood(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    flood = FLOODS[kind]()
    monkeypatch.setattr(ssh_server, "run_line", lambda _, line, *__: Output() if "nothing" in line else flood)
    with run_fleet(select_hosts(["lausen"]), tmp_path / "client"):
        result = subprocess.run(
            [sys.executable, "-c", ASKS],
            env={**os.environ, "IMKER_CONFIG": str(tmp_path / "client/imker.toml")},
            capture_output=True,
            text=True,
            timeout=100,
        )
    assert result.returncode == 0, result.stderr
    grown, tail = result.stdout.split(maxsplit=1)
    record_figure(f"memory for {SENT} MB of output from a host ({kind})", f"{grown} MB")
    assert tail.strip() == repr(END)
    assert float(grown) <= MOST
