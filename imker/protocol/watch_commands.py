"""Define the commands by which the watch looks at the swarm and its hosts. They cannot be typed. Pure."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from imker.protocol.job_command import JobCommand
from imker.protocol.version import READS_QUEUE


@dataclass(frozen=True)
class ObserveSwarm(JobCommand):
    """Save what the managers report: nodes and services."""

    type: Literal["observe_swarm"] = "observe_swarm"
    queue: ClassVar = READS_QUEUE


@dataclass(frozen=True)
class ObserveHosts(JobCommand):
    """Save what is seen on the hosts only: certificates that end soon, and daemon options that have changed."""

    type: Literal["observe_hosts"] = "observe_hosts"
    queue: ClassVar = READS_QUEUE


WatchCommand = ObserveSwarm | ObserveHosts  # repeated all the time, and so kept for a short time only
