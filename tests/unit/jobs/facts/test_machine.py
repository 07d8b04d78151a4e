"""Test when the RQ worker's machine and a host are one."""

import pytest

from jobs.facts.machine import MachineIdentity, is_same_machine

HOST = MachineIdentity("disk-a", "boot-a")


@pytest.mark.parametrize(
    ("worker", "expected"),
    [
        (MachineIdentity("disk-a", "boot-a"), True),
        (MachineIdentity("disk-b", "boot-b"), False),
        (MachineIdentity("", "boot-a", in_container=True), True),
        (MachineIdentity("disk-image", "boot-a", in_container=True), True),
        (MachineIdentity("disk-a", "boot-b"), False),  # copies of one disk
        (MachineIdentity("disk-b", "boot-a"), False),  # system containers on one kernel
        (MachineIdentity("disk-a", "boot-b", in_container=True), False),
        (MachineIdentity("disk-a", ""), True),
        (MachineIdentity("", "", in_container=True), False),
        (MachineIdentity(), False),
    ],
)
def test_needs_the_disk_and_the_kernel_or_the_kernel_of_a_container(worker: MachineIdentity, expected: bool) -> None:
    assert is_same_machine(worker, HOST) is expected


def test_hosts_that_report_nothing_are_no_machine() -> None:
    assert not is_same_machine(MachineIdentity(), MachineIdentity())
    assert not is_same_machine(HOST, MachineIdentity())
