"""What is known of one host. Pure."""

from dataclasses import dataclass, field

from jobs.daemon_options import OptionFiles, UnitFacts
from jobs.facts.containers import Container
from jobs.facts.environment import HostEnvironment
from jobs.facts.packages import Package
from jobs.facts.swarm import SwarmMembership


@dataclass(frozen=True)
class HostFacts:
    """`engine`: the running daemon's version, "" if it is down. `stale`: its options changed since it was started.

    `source`: the apt list's text; `upgrade`: ActiveState of Imker's upgrade unit ("" if there is none);
    `ran`: names of the containers that ran before the last restart, as noted on the host, None without a note;
    `begun`: the last run that claimed the host, if a migration has noted what to go back to and is not over, else "";
    `api`: whether the Engine API answered over TLS from here.
    """

    name: str
    engine_version: str = ""
    options_changed: bool = False
    api_reachable: bool = True
    package: Package | None = None
    apt_source: str = ""
    upgrade_state: str = ""
    options: OptionFiles = field(default_factory=lambda: OptionFiles(UnitFacts("", (), ()), {}))
    containers: tuple[Container, ...] = ()
    previously_running: tuple[str, ...] | None = None
    unfinished_run: str = ""
    membership: SwarmMembership = SwarmMembership()
    environment: HostEnvironment | None = None
