"""The scripts that a simulated host understands, recognized by a part of their text."""

from collections.abc import Callable
from dataclasses import dataclass

from lab.simulated import docker_cli, scripts, step_scripts
from lab.simulated.machine import Machine
from lab.simulated.output import Output


@dataclass(frozen=True)
class Script:
    """A script.

    `marker` is a part of its text that no earlier script in the table contains. `handler` gets argv after the script.
    `kind` of the recorded action is "" for a script that changes nothing; `title` is its name there. A `slow` script
    does not hold the host's lock.
    """

    marker: str
    handler: Callable[[Machine, list[str], str], Output]
    kind: str = ""
    title: str = ""
    slow: bool = False


SCRIPTS = (
    Script("mktemp -d /var/cache/apt/archives/imker", scripts.start_download, "unit", "start a download"),
    Script('systemctl reset-failed "$unit"', scripts.start_or_replace_unit, "unit", "replace a unit"),
    Script("apt-cache madison", scripts.show_candidates),
    Script("# imker: change files", step_scripts.change_files, "file", "change files"),
    Script("# imker: start the unit of an upgrade", step_scripts.start_upgrade, "unit", "systemd-run"),
    Script("# imker: functions that back up files", step_scripts.save_copy, "file", "back up"),
    Script("# imker: replace a file", step_scripts.restore_copy, "file", "restore"),
    Script("# imker: follow a transient unit", step_scripts.follow_unit),
    Script("# imker: stop a transient unit", step_scripts.end_unit, "unit", "systemctl stop"),
    Script("# imker: save the names", step_scripts.restart_validated, "restart", "validate and restart", slow=True),
    Script("# imker: restart the daemon", step_scripts.restart_daemon, "restart", "restart", slow=True),
    Script("# imker: start the containers", step_scripts.start_containers, "containers", "start"),
    Script("docker swarm leave", docker_cli.leave_swarm, "leave", "docker swarm leave"),
    Script("docker update --restart=no", step_scripts.stop_store, "containers", "stop"),
    Script("docker inspect $ids", docker_cli.inspect_all),
)
