"""Test that this machine knows itself."""

from pathlib import Path

import pytest

from jobs.gather import own_machine


def test_reads_what_the_kernel_and_the_disk_say(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "machine-id").write_text("9f86d081884c7d65\n")
    monkeypatch.setattr(own_machine, "MACHINE_ID", tmp_path / "machine-id")
    monkeypatch.setattr(own_machine, "BOOT_ID", tmp_path / "nothing")
    monkeypatch.setattr(own_machine, "CONTAINER_MARKS", (tmp_path / "machine-id",))
    machine = own_machine.read_own_machine.__wrapped__()
    assert (machine.machine_id, machine.boot_id, machine.in_container) == ("9f86d081884c7d65", "", True)


def test_this_machine_has_a_kernel() -> None:
    assert own_machine.read_own_machine().boot_id == Path("/proc/sys/kernel/random/boot_id").read_text().strip()
