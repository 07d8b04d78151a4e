"""Start everything that a chaos run needs: simulated hosts, the fake Slack, and Imker with a supervisor."""

import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from lab.chaos.faults import Targets
from lab.chaos.supervisor import Supervisor
from lab.fleet.hosts import LabHost
from lab.processes import Processes, imker_environment
from lab.simulated.engine_versions import EngineAge, Pace
from lab.simulated.fleet import Fleet, run_fleet
from lab.slack.client import Workspace
from lab.slack.server_process import run_fake_slack

PACE = Pace(upgrade=1.5, restart=0.1, boot=1.0, join=0.1, join_timeout=2.0)
ENGINE_AGES: tuple[EngineAge, ...] = ("2016", "classic", "rc")  # Engine ages of the hosts in turn


@contextmanager
def start_world(
    hosts: Iterable[LabHost],
    log: Path,
    pace: Pace = PACE,
    config: str = "",
    extra_environment: Mapping[str, str] | None = None,
) -> Iterator[Targets]:
    """Start hosts, the fake Slack, and Imker until the block ends.

    `config` is added to imker.toml, `extra_environment` to the environment of the processes.
    """
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="imker-c-")))
        fleet: Fleet = stack.enter_context(run_fleet(hosts, folder / "client", pace, *ENGINE_AGES))
        with (folder / "client/imker.toml").open("a") as file:
            file.write(config)
        workspace: Workspace = stack.enter_context(run_fake_slack())
        settings = imker_environment(workspace.url, folder / "client/imker.toml", folder / "redis")
        supervised = Supervisor(Processes({**settings, **(extra_environment or {})}, log), folder / "redis")
        stack.callback(supervised.stop)
        supervised.start()
        deadline = time.monotonic() + 30
        while not workspace.connection_count():
            if time.monotonic() > deadline:
                raise RuntimeError(f"the bot did not connect; see {log}")
            time.sleep(0.1)
        yield Targets(supervised, workspace, fleet)
