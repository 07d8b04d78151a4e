"""Simulated hosts on loopback, and the product's jobs in this process, over their real SSH and Engine clients."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from redis import Redis

from jobs import inventory, settings
from jobs.contract import Approval, Body, Command, Request
from jobs.engine import Engine
from jobs.inventory import Host
from jobs.journal import Journal
from jobs.office import Office
from jobs.run import tell_all
from jobs.ssh import SshShell
from lab.simulated.dialect import Pace
from lab.simulated.fleet import Fleet, named, running
from tests import streams

QUICK = Pace(upgrade=0.2, restart=0.02, boot=0.2, join=0.02, join_patience=0.5)
THREE = ("connewitz", "tondi", "lausen")


@dataclass
class Imker:
    """What the RQ workers do, here and now. `run` counts on by itself."""

    fleet: Fleet
    redis: Redis
    run: int = 0
    job: int = 0

    def does(self, command: Command, *approvals: Approval) -> list[Body]:
        """All that the job told, the last word last: a new run's first, or, with approvals, the last run's next."""
        request = self.asks(command, *approvals)
        journal = Journal(self.redis, streams.KEY, request.run, request.job, time.time)
        tell_all(request, journal, lambda: self.office(request, journal))
        return self.told(request)

    def asks(self, command: Command, *approvals: Approval) -> Request:
        self.run, self.job = (self.run, self.job + 1) if approvals else (self.run + 1, 1)
        return Request(f"run{self.run}", self.job, command, "U01ALICE", approvals)

    def told(self, request: Request) -> list[Body]:
        return streams.told(self.redis, request.run, job=request.job)

    def office(self, request: Request, journal: Journal) -> Office:
        loaded = self.settings
        return Office(request, loaded, self.inventory, journal, self.redis, self.shell, Engine)

    @property
    def settings(self) -> settings.Settings:
        return settings.load(self.fleet.folder / "imker.toml")

    @property
    def inventory(self) -> inventory.Inventory:
        return inventory.load(self.settings)

    def host(self, name: str) -> Host:
        return self.inventory[name]

    def shell(self, host: Host) -> SshShell:
        return SshShell(host, self.settings.inventory.known_hosts)


@pytest.fixture(scope="session")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    with running(named(THREE), tmp_path_factory.mktemp("simulated"), QUICK) as fleet:
        yield fleet


@pytest.fixture
def fleet(everything: Fleet) -> Iterator[Fleet]:
    """In the state of 2016, whatever the last test did; what no host understands fails the test."""
    everything.reset()
    yield everything
    assert everything.world.history.unknown == []


@pytest.fixture
def imker(fleet: Fleet, redis: Redis) -> Imker:
    return Imker(fleet, redis)


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Callable[..., Fleet]]:
    """Fleets of another age or pace."""
    from contextlib import ExitStack

    with ExitStack() as stack:
        yield lambda *names, pace=QUICK, age="2016": stack.enter_context(running(named(names), tmp_path, pace, age))
