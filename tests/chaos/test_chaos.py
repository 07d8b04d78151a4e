"""Inject fifty random faults while users keep working: all invariants hold. Reproduce with: make chaos SEED=2016."""

from pathlib import Path

import pytest

from lab.chaos.runner import run_chaos

SEED = 2016


@pytest.mark.timeout(420)
def test_keeps_all_invariants_through_fifty_faults(tmp_path: Path) -> None:
    lines: list[str] = []
    code = run_chaos(50, SEED, 8, tmp_path / "log", fault_interval=(0.2, 1.0), say=lines.append)
    assert code == 0, "\n".join(lines) + (tmp_path / "log").read_text()[-5000:]
