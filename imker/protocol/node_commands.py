"""Define the commands that change one node of the swarm, which is named by its host. Pure."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from imker.protocol.job_command import JobCommand
from imker.protocol.version import CHANGES_QUEUE, READS_QUEUE


@dataclass(frozen=True)
class HostCommand(JobCommand):
    """A command for the node of a host."""

    host: str
    queue: ClassVar = CHANGES_QUEUE

    @property
    def text(self) -> str:
        return f"{self.type} {self.host}"


@dataclass(frozen=True)
class Drain(HostCommand):
    """Drain the node: its service tasks move to other nodes."""

    type: Literal["drain"] = "drain"


@dataclass(frozen=True)
class Activate(HostCommand):
    """Let the node run service tasks again."""

    type: Literal["activate"] = "activate"


@dataclass(frozen=True)
class Promote(HostCommand):
    """Ask to accept a worker as a manager."""

    type: Literal["promote"] = "promote"


@dataclass(frozen=True)
class Demote(HostCommand):
    """Make a manager a worker."""

    type: Literal["demote"] = "demote"


@dataclass(frozen=True)
class Remove(HostCommand):
    """Remove the node from the swarm."""

    type: Literal["remove"] = "remove"


@dataclass(frozen=True)
class Upgrade(HostCommand):
    """Upgrade the Engine of the node. `version`: a pattern such as "28.*", "" for the configured one."""

    version: str = ""
    type: Literal["upgrade"] = "upgrade"

    @property
    def text(self) -> str:
        return f"upgrade {self.host}{_format_version(self.version)}"


@dataclass(frozen=True)
class UpgradeAll(JobCommand):
    """Plan the upgrade of all nodes. Each is then upgraded in a run of its own. `version`: as for one node."""

    version: str = ""
    type: Literal["upgrade_all"] = "upgrade_all"
    queue: ClassVar = READS_QUEUE

    @property
    def text(self) -> str:
        return f"upgrade all{_format_version(self.version)}"


def _format_version(version: str) -> str:
    return f" --to {version}" if version else ""


NodeCommand = Drain | Activate | Promote | Demote | Remove | Upgrade | UpgradeAll
