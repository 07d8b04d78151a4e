"""Define the facts of one host. Pure."""

from dataclasses import dataclass, field

from jobs.daemon_options import OptionFiles, UnitFacts
from jobs.facts.containers import Container
from jobs.facts.environment import HostEnvironment
from jobs.facts.packages import Package
from jobs.facts.swarm import SwarmMembership


@dataclass(frozen=True)
class HostFacts:
    """The facts of one host.

    `engine_version`: of the running daemon, "" if it is down; `options_changed`: since the daemon started;
    `api_reachable`: the Engine API answers over TLS; `apt_source`: the apt list's text; `upgrade_state`: ActiveState
    of Imker's upgrade unit, "" if there is none; `previously_running`: names of the containers that ran before the
    last restart, None if not saved; `unfinished_run`: the last run of an unfinished migration, "" for none.
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
