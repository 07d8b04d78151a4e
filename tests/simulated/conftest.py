"""Run jobs in this process against simulated hosts on loopback, with the real SSH and Engine clients."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from redis import Redis

from imker.protocol.commands import Approval, Command, Request
from imker.protocol.events import EventBody
from jobs import settings
from jobs.connectors.engine import Engine
from jobs.connectors.ssh import SshShell
from jobs.context import JobContext
from jobs.events.writer import EventWriter
from jobs.execute import convergence
from jobs.gather import services
from jobs.inventory import hosts
from jobs.inventory.model import Host, Inventory
from jobs.run import run_handler
from lab.simulated.engine_versions import Pace
from lab.simulated.fleet import Fleet, run_fleet, select_hosts
from tests.support import streams
from tests.support.simulated_swarm import form_swarm

FAST_PACE = Pace(upgrade=0.2, restart=0.02, boot=0.2, join=0.02, join_timeout=0.5)
HOST_NAMES = ("connewitz", "tondi", "lausen")


@dataclass
class JobRunner:
    """Runs jobs as the RQ workers do, in this process. `run` numbers the runs. `confirm`: as in [rights]."""

    fleet: Fleet
    redis: Redis
    run: int = 0
    job: int = 0
    confirm: bool = False

    def run_job(self, command: Command, *approvals: Approval, services: tuple[str, ...] = ("*",)) -> list[EventBody]:
        """Run a job and return its events. Start a new run, or continue the last run if there are approvals.

        `services`: patterns that the request covers.
        """
        request = replace(self.build_request(command, *approvals), allowed_services=services)
        journal = EventWriter(self.redis, streams.KEY, request.run, request.job, time.time)
        run_handler(request, journal, lambda: self.open_context(request, journal))
        return self.event_bodies(request)

    def build_request(self, command: Command, *approvals: Approval) -> Request:
        self.run, self.job = (self.run, self.job + 1) if approvals else (self.run + 1, 1)
        return Request(f"run{self.run}", self.job, command, "U01ALICE", approvals, allowed_services=("*",))

    def event_bodies(self, request: Request) -> list[EventBody]:
        return streams.event_bodies(self.redis, request.run, job=request.job)

    def open_context(self, request: Request, journal: EventWriter) -> JobContext:
        loaded = self.settings
        return JobContext(request, loaded, self.inventory, journal, self.redis, self.shell, Engine)

    @property
    def settings(self) -> settings.Settings:
        loaded = settings.load_settings(self.fleet.folder / "imker.toml")
        rights = loaded.rights.model_copy(update={"confirm": self.confirm})
        return loaded.model_copy(update={"rights": rights})

    @property
    def inventory(self) -> Inventory:
        return hosts.load_inventory(self.settings)

    def host(self, name: str) -> Host:
        return self.inventory[name]

    def shell(self, host: Host) -> SshShell:
        return SshShell(host, self.settings.inventory.known_hosts)


@pytest.fixture(scope="session")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    with run_fleet(select_hosts(HOST_NAMES), tmp_path_factory.mktemp("simulated"), FAST_PACE) as fleet:
        yield fleet


@pytest.fixture
def fleet(everything: Fleet) -> Iterator[Fleet]:
    """Reset the hosts to their legacy state, and fail the test if a host received an unknown request."""
    everything.reset()
    yield everything
    assert everything.world.history.unknown_requests == []


@pytest.fixture
def imker(fleet: Fleet, redis: Redis) -> JobRunner:
    return JobRunner(fleet, redis)


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Callable[..., Fleet]]:
    """Start fleets with another Engine age or pace."""
    from contextlib import ExitStack

    with ExitStack() as stack:
        yield lambda *names, pace=FAST_PACE, age="2016": stack.enter_context(
            run_fleet(select_hosts(names), tmp_path, pace, age)
        )


@pytest.fixture
def quick_convergence(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait less long: simulated tasks start within fractions of a second."""
    for name, seconds in {"POLL_INTERVAL": 0.05, "STABLE": 0.3, "STALLED": 3.0, "STALLED_WITHOUT_REASON": 60.0}.items():
        monkeypatch.setattr(convergence, name, seconds)
    for name in ("FIRST", "ALL", "READ_TIMEOUT"):
        monkeypatch.setattr(services, name, 30.0)  # a busy machine takes its time


@pytest.fixture
def swarm(imker: JobRunner, quick_convergence: None) -> Iterator[JobRunner]:
    form_swarm(imker.fleet)
    yield imker
    orchestrator = imker.fleet.world.swarm.services.orchestrator
    orchestrator.registry.clear()
    orchestrator.crashes.clear()
