"""Test that a job connects to each host once, also when several threads ask, and closes all connections."""

import math
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import cast

import pytest

from jobs.connectors.shared_shells import SharedShells
from jobs.connectors.shell import Command, Output, command
from jobs.errors import CommandFailed, JobError, NotSent, Unreachable
from jobs.inventory.model import Host

KADITZ, TONDI = Host("kaditz"), Host("tondi")


@dataclass
class Hosts:
    """Counts connections. `down`: names of hosts that cannot be reached; `breaks`: the error of each command;
    `break_late`: returns it when the command has run for a while."""

    connected: Counter[str] = field(default_factory=Counter)
    closed: list[str] = field(default_factory=list)
    down: set[str] = field(default_factory=set)
    breaks: JobError | None = None
    break_late: Callable[[], JobError] | None = None

    def connect(self, host: Host) -> "Connection":
        self.connected[host.name] += 1
        if host.name in self.down:
            raise Unreachable(f"{host.name} is down")
        return Connection(self, host.name)


@dataclass
class Connection:
    hosts: Hosts
    host: str

    def run(self, command: Command) -> Output:
        if self.hosts.breaks:
            raise self.hosts.breaks
        if self.hosts.break_late:
            raise self.hosts.break_late()
        return Output(0, self.host, "")

    def reconnect(self) -> None:
        raise AssertionError("another thread may use this connection")

    def __enter__(self) -> "Connection":
        return self

    def __exit__(self, *_: object) -> None:
        self.hosts.closed.append(self.host)


def run_true(shells: SharedShells, host: Host) -> str:
    with shells.open(host) as shell:
        return shell.run(command("true")).stdout


def test_connects_once_to_each_host_and_closes_at_the_end() -> None:
    hosts = Hosts()
    shells = SharedShells(hosts.connect)
    with ThreadPoolExecutor(8) as pool:
        names = list(pool.map(lambda host: run_true(shells, host), [KADITZ, TONDI] * 20))
    assert names == ["kaditz", "tondi"] * 20
    assert hosts.connected == {"kaditz": 1, "tondi": 1}
    assert hosts.closed == []
    shells.close()
    assert sorted(hosts.closed) == ["kaditz", "tondi"]


def test_does_not_try_an_unreachable_host_again() -> None:
    hosts = Hosts(down={"kaditz"})
    shells = SharedShells(hosts.connect)
    for _ in range(3):
        with pytest.raises(Unreachable, match="kaditz is down"):
            shells.open(KADITZ)
    assert hosts.connected == {"kaditz": 1}
    shells.close()


@pytest.mark.parametrize(
    ("error", "times"), [(Unreachable("lost the connection"), 1), (CommandFailed("kaditz", "true", 1, ""), 0)]
)
def test_reconnects_only_after_a_lost_connection(error: JobError, times: int) -> None:
    hosts = Hosts()
    shells = SharedShells(hosts.connect)
    hosts.breaks = error
    with pytest.raises(type(error)):
        run_true(shells, KADITZ)
    hosts.breaks = None
    assert [run_true(shells, KADITZ) for _ in range(2)] == ["kaditz", "kaditz"]
    assert hosts.connected["kaditz"] == 1 + times


def test_reconnects_when_a_lost_host_is_up_again() -> None:
    hosts = Hosts()
    shells = SharedShells(hosts.connect)
    hosts.breaks = Unreachable("lost the connection")
    with pytest.raises(Unreachable):
        run_true(shells, KADITZ)
    hosts.breaks, hosts.down = None, {"kaditz"}
    with pytest.raises(Unreachable, match="is down"):
        shells.open(KADITZ)
    hosts.down = set()
    assert run_true(shells, KADITZ) == "kaditz"
    shells.close()
    assert hosts.closed == ["kaditz", "kaditz"]


def test_a_command_that_times_out_does_not_end_those_of_other_threads() -> None:
    hosts = Hosts()
    shells = SharedShells(hosts.connect)
    with shells.open(KADITZ) as shell:
        hosts.breaks = Unreachable("it did not finish in time")
        with pytest.raises(Unreachable):
            shell.run(command("sleep", "60"))
    hosts.breaks = None
    run_true(shells, KADITZ)
    assert hosts.closed == [], "another thread's command may still run over the first connection"
    shells.close()
    assert hosts.closed == ["kaditz", "kaditz"]


def test_a_late_loss_of_the_old_connection_does_not_replace_the_new_one() -> None:
    hosts = Hosts()
    shells = SharedShells(hosts.connect)

    def lose_late() -> Unreachable:
        """Return the error of a command that ends after another thread has reconnected."""
        with shells.open(KADITZ) as shell:
            shell.reconnect()
        return Unreachable("lost the connection")

    hosts.break_late = lose_late
    with pytest.raises(Unreachable):
        run_true(shells, KADITZ)
    hosts.break_late = None
    run_true(shells, KADITZ)
    assert hosts.connected == {"kaditz": 2}
    shells.close()


class EngineConnection(Connection):
    """A connection that also leads to an Engine. The first one to a host is lost, which was not noticed yet."""

    is_active = True

    def connect_engine(self, _: float) -> str:
        if self.hosts.connected[self.host] == 1:
            raise NotSent("lost the connection")
        return f"stream to {self.host}"


@dataclass
class EngineHosts(Hosts):
    opened: list[EngineConnection] = field(default_factory=list)

    def connect(self, host: Host) -> EngineConnection:
        super().connect(host)
        self.opened.append(EngineConnection(self, host.name))
        return self.opened[-1]


def test_a_lost_connection_to_an_engine_is_replaced_before_anything_is_sent() -> None:
    hosts = EngineHosts()
    shells = SharedShells(hosts.connect)
    assert cast(str, shells.connect_engine(KADITZ, math.inf)) == "stream to kaditz"
    assert hosts.connected == {"kaditz": 2}
    shells.close()


def test_a_closed_connection_to_an_engine_is_replaced() -> None:
    hosts = EngineHosts(connected=Counter({"kaditz": 1}))
    shells = SharedShells(hosts.connect)
    shells.connect_engine(KADITZ, math.inf)
    hosts.opened[-1].is_active = False
    shells.connect_engine(KADITZ, math.inf)
    assert hosts.connected["kaditz"] == 3
    shells.close()
