"""Fifty random faults while people go on working; the invariants hold. A seed says which: make chaos SEED=2016."""

from pathlib import Path

import pytest

from lab.chaos.runner import run_chaos

SEED = 2016


@pytest.mark.timeout(420)
def test_fifty_faults_break_no_promise(tmp_path: Path) -> None:
    lines: list[str] = []
    code = run_chaos(50, SEED, 8, tmp_path / "log", fault_interval=(0.2, 1.0), say=lines.append)
    assert code == 0, "\n".join(lines) + (tmp_path / "log").read_text()[-5000:]
