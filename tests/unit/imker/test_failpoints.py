"""The list of failpoints matches the code, and they do nothing unless armed.

tests/chaos/test_failpoints.py kills a process at each.
"""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from imker import failpoints
from imker.failpoints import FAILPOINTS

ROOT = Path(failpoints.__file__).parent.parent
CROSSING = """
from imker.failpoints import failpoint
failpoint("step.next")
print("alive", flush=True)
failpoint("step.done")
failpoint("step.next")
"""


def test_failpoints_in_the_code_match_the_list() -> None:
    code = [path.read_text() for side in ("bot", "jobs", "imker") for path in (ROOT / side).rglob("*.py")]
    used = [point for text in code for point in re.findall(r"\bfailpoint\(([^)]*)\)", text)]
    assert sorted({point.strip('"') for point in used} - {"point: Failpoint"}) == sorted(FAILPOINTS)
    assert len(FAILPOINTS) == len(set(FAILPOINTS))


def crossing(environment: Mapping[str, str], where: Path) -> "subprocess.CompletedProcess[str]":
    environment_values = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **environment}
    return subprocess.run(
        [sys.executable, "-c", CROSSING], env=environment_values, cwd=where, capture_output=True, text=True
    )


@pytest.mark.processes
def test_failpoints_do_nothing_unless_armed(tmp_path: Path) -> None:
    (tmp_path / "step.next").touch()
    ended = crossing({"IMKER_FAULTS": ""}, tmp_path)
    assert (ended.returncode, ended.stdout) == (0, "alive\n")
    assert crossing({}, tmp_path).returncode == 0
    assert [path.name for path in tmp_path.iterdir()] == ["step.next"]
    assert failpoints.on_failpoint is None, "nor in this process"


@pytest.mark.processes
@pytest.mark.parametrize(("armed", "expected_text"), [("step.next", ""), ("step.done", "alive\n")])
def test_armed_failpoint_kills_one_process_once(tmp_path: Path, armed: str, expected_text: str) -> None:
    (tmp_path / armed).touch()
    died = crossing({"IMKER_FAULTS": str(tmp_path)}, tmp_path)
    assert (died.returncode, died.stdout) == (-signal.SIGKILL, expected_text)
    assert [path.name.rpartition(".")[0] for path in tmp_path.iterdir()] == [armed]
    assert crossing({"IMKER_FAULTS": str(tmp_path)}, tmp_path).returncode == 0
