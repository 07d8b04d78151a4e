"""Test that `lab simulated up --folder X` replaces only its own files in X."""

import subprocess
import sys
from pathlib import Path

import pytest

from lab.fleet.shell import LabError
from lab.simulated.fleet import run_fleet, select_hosts

THEIRS = ("docker-machine/machines/real/config.json", "imker.toml", "known_hosts", "ssh/id_ed25519")


@pytest.mark.parametrize("name", THEIRS)
def test_keeps_foreign_files(tmp_path: Path, name: str) -> None:
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).write_text("a user's file\n")
    before = sorted(tmp_path.rglob("*"))
    argv = [sys.executable, "-m", "lab", "simulated", "up", "kaditz", "--folder", str(tmp_path)]
    ended = subprocess.run(argv, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 1
    what = name.partition("/")[0]
    assert ended.stderr == f"lab: {tmp_path} has {what}, which the lab did not write; choose another folder\n"
    assert (tmp_path / name).read_text() == "a user's file\n"
    assert sorted(tmp_path.rglob("*")) == before


def test_replaces_its_own_files_but_not_a_new_configuration(tmp_path: Path) -> None:
    for _ in range(2):
        with run_fleet(select_hosts(("kaditz",)), tmp_path):
            pass
    (tmp_path / "imker.toml").write_text("[slack]\n")
    with pytest.raises(LabError, match=r"has imker\.toml, which"), run_fleet(select_hosts(("kaditz",)), tmp_path):
        pass
    assert (tmp_path / "imker.toml").read_text() == "[slack]\n"


def test_replaces_files_of_an_older_lab(tmp_path: Path) -> None:
    with run_fleet(select_hosts(("kaditz",)), tmp_path):
        pass
    (tmp_path / ".imker-lab").unlink()
    with run_fleet(select_hosts(("kaditz",)), tmp_path):
        pass
