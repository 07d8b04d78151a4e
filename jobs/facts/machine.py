"""Tell whether two machines are one. Pure."""

from dataclasses import dataclass


@dataclass(frozen=True)
class MachineIdentity:
    """What tells a machine from others. `machine_id`: of its disk; `boot_id`: of its running kernel, "" if unknown.

    `in_container`: the machine is a container, which has a disk of its own but the kernel of its host.
    """

    machine_id: str = ""
    boot_id: str = ""
    in_container: bool = False


def is_same_machine(worker: MachineIdentity, host: MachineIdentity) -> bool:
    """Return whether the RQ worker runs on the host, or in a container there.

    Copies of a disk share a machine ID, and system containers share the boot ID of their kernel, so one is not enough.
    """
    same_disk = bool(worker.machine_id) and worker.machine_id == host.machine_id
    if not worker.boot_id or not host.boot_id:
        return same_disk
    return worker.boot_id == host.boot_id and (same_disk or worker.in_container)
