"""Measure on the lab's real hosts: Imker and other tools in turn, so that all meet the same machine."""

import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import count

import httpx

from bench import imker_run, peers, script
from bench.imker_run import UnexpectedMessage
from bench.report import Figures
from bench.world import (
    DifferentEndState,
    NotReady,
    compare_end_states,
    end_states,
    reset,
    wait_until_ready,
    watch_absence,
    write_config,
)
from lab.fleet import fleet, machine
from lab.fleet.hosts import FLEET, LabHost
from lab.fleet.shell import LabError

Say = Callable[[str], None]
Tools = dict[str, Callable[[Sequence[LabHost]], None]]
FAILURES = (
    DifferentEndState,
    NotReady,
    UnexpectedMessage,
    TimeoutError,
    LabError,
    OSError,
    httpx.HTTPError,
    subprocess.SubprocessError,
)


@dataclass
class Session:
    """The measurements of one run. `others`: the tools that Imker is compared with, by name."""

    hosts: tuple[LabHost, ...]
    others: Tools
    say: Say
    figures: Figures = field(default_factory=Figures)

    def attempt(self, name: str, work: Callable[[], None]) -> None:
        """Run one measurement. If it fails, note that, and continue with the next one."""
        began = time.monotonic()
        try:
            work()
        except FAILURES as error:
            self.figures.note_failure(name, str(error) or type(error).__name__)
            self.say(f"  {name} FAILED: {error}")
        else:
            self.say(f"  {name}: {time.monotonic() - began:.0f} s")

    def add_time(self, name: str, work: Callable[[], object]) -> None:
        """Add the seconds that the work takes to the figures."""
        began = time.monotonic()
        work()
        self.figures.add(name, time.monotonic() - began)


def measure(rounds: int, say: Say, seconds: float, with_peers: bool = False) -> Figures:
    """Boot the eight hosts, measure, and stop them. After the warm-up, no round starts after `seconds`."""
    others: Tools = {"script": script.migrate, **(peers.install(say) if with_peers else {})}
    fleet.begin((), say=say)
    deadline = time.monotonic() + seconds
    try:
        say("warm-up round")
        session = Session(FLEET, others, say)
        _run_round(session, is_warm_up=True)
        session.figures = Figures()  # the warm-up does not count
        for number in count(1):
            if number > rounds or (number > 1 and time.monotonic() > deadline):
                break
            say(f"round {number} of {rounds}")
            session.figures.rounds = number
            _run_round(session)
    finally:
        fleet.down(say=say)
    return session.figures


def _run_round(session: Session, is_warm_up: bool = False) -> None:
    """Measure each figure once. The warm-up leaves out what only repeats it."""
    states: dict[str, str] = {}
    session.attempt("one host, Imker", lambda: states.update(_one_host(session)))
    for tool in session.others:
        session.attempt(f"one host, {tool}", partial(_other_tool, session, tool, session.hosts[:1], states))
    if not is_warm_up:
        session.attempt("one host, seven of eight dead", partial(_dead_hosts, session))
    states = {}
    session.attempt("eight hosts, Imker", lambda: states.update(_fleet(session, 8)))
    for tool in session.others:
        session.attempt(f"eight hosts, {tool}", partial(_other_tool, session, tool, session.hosts, states))
    if not is_warm_up:
        session.attempt(
            "eight hosts, Imker, two at a time", lambda: compare_end_states(states, _fleet(session, 2), "Imker")
        )


def _one_host(session: Session) -> dict[str, str]:
    """Migrate one host and return its end state. Then restart its Engine, to compare how long it is absent."""
    host = session.hosts[0]
    reset(session.hosts)
    with imker_run.running(write_config(2)) as (workspace, _), watch_absence(host) as absence:
        session.add_time("one host, Imker", lambda: imker_run.migrate_one(workspace, host))
    session.figures.add("Engine's absence, Imker", absence())
    states = end_states([host])
    with watch_absence(host) as absence:
        machine.run_on_host(host.name, "systemctl", "restart", "docker")
        wait_until_ready([host])
    session.figures.add("Engine's absence, bare restart", absence())
    return states


def _other_tool(session: Session, tool: str, hosts: Sequence[LabHost], of_imker: dict[str, str]) -> None:
    reset(session.hosts)
    size = "one host" if len(hosts) == 1 else "eight hosts"
    with watch_absence(hosts[0]):  # it costs the same as beside Imker
        session.add_time(f"{size}, {tool}", lambda: session.others[tool](hosts))
    compare_end_states(of_imker, end_states(hosts), tool)


def _fleet(session: Session, parallel: int) -> dict[str, str]:
    """Migrate the fleet and return the end states."""
    reset(session.hosts)
    config = write_config(parallel)
    with imker_run.running(config) as (workspace, _), watch_absence(session.hosts[0]):
        began = time.monotonic()
        message = imker_run.plan_fleet(workspace)
        session.figures.add("plan of eight hosts", time.monotonic() - began)
        name = f"eight hosts, Imker, parallel = {parallel}"
        session.add_time(name, lambda: imker_run.start_fleet(workspace, message, session.hosts))
        imker_run.wait_for(workspace, message, lambda seen: seen.text[:1] in imker_run.FINAL_MARKS)
        for command in ("/swarm hosts", "/swarm nodes") * 2:
            session.figures.add(f"{command}, eight hosts", imker_run.seconds_of(workspace, command))
    return end_states(session.hosts)


def _dead_hosts(session: Session) -> None:
    """Migrate one host while the others drop all packets, as hosts without power do. The next reset ends that."""
    reset(session.hosts)
    for host in session.hosts[1:]:
        machine.drop_packets(host.name)
    with imker_run.running(write_config(2)) as (workspace, _), watch_absence(session.hosts[0]):
        name, first = "one host, seven of eight dead, Imker", session.hosts[0]
        session.add_time(name, lambda: imker_run.migrate_one_with_warnings(workspace, first))
