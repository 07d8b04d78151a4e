"""Test the port probe: the query, the findings, and both Perl programs against each other."""

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field

import pytest

from imker.protocol.values import Level
from jobs.checks.ports import check_ports
from jobs.connectors.shell import Command, Output
from jobs.errors import CommandFailed, Unreachable
from jobs.facts.ports import SWARM_PORTS, PortProbe
from jobs.gather import ports
from jobs.gather.ports import CALLER_SCRIPT, LISTENER_SCRIPT, PortListeners

WORD = "0123456789abcdef"


@dataclass
class Caller:
    """A shell that answers for open ports and records its commands. `fails`: the program that fails."""

    answers: dict[str, str] = field(default_factory=dict)
    arguments: list[str] = field(default_factory=list)
    host: str = "kaditz"
    fails: str = ""

    def run(self, command: Command) -> Output:
        if command.name == self.fails:
            raise CommandFailed(self.host, command.name, 1, "no such program")
        self.arguments = list(command.argv[4:])
        return Output(0, "".join(f"{line} {matches}\n" for line, matches in self.answers.items()), "")

    def reconnect(self) -> None:
        raise AssertionError("nothing was lost")


def probes(closed: set[tuple[str, int]], *, caller: str = "kaditz", target: str = "tondi") -> list[PortProbe]:
    return [PortProbe(caller, target, kind, port, (kind, port) not in closed) for kind, port in SWARM_PORTS]


@pytest.mark.parametrize(
    ("closed", "expected"),
    [
        (set(), [("pass", "2377, 7946, and 4789 are open")]),
        ({("tcp", 2377)}, [("block", "TCP 2377 is blocked: kaditz to tondi")]),
        ({("tcp", 7946)}, [("warn", "TCP 7946 is blocked")]),
        ({("udp", 7946)}, [("warn", "UDP 7946 is blocked")]),
        ({("udp", 4789)}, [("warn", "UDP 4789 is blocked")]),
        ({("udp", 4789), ("tcp", 2377)}, [("block", "TCP 2377"), ("warn", "UDP 4789")]),
    ],
)
def test_blocks_only_on_a_closed_port_2377(closed: set[tuple[str, int]], expected: list[tuple[Level, str]]) -> None:
    matches = check_ports(probes(closed))
    assert [
        (finding.level, finding.text[: len(text)]) for finding, (_, text) in zip(matches, expected, strict=True)
    ] == expected


def test_names_every_closed_direction() -> None:
    both = [*probes({("tcp", 2377)}), *probes({("tcp", 2377)}, caller="tondi", target="kaditz")]
    (matches,) = check_ports(both)
    assert matches.text == "TCP 2377 is blocked: kaditz to tondi, tondi to kaditz"


def test_passes_without_any_probe() -> None:
    (matches,) = check_ports([])
    assert (matches.check, matches.level) == ("ports", "pass")
    assert "no other host to test with" in matches.text


def test_probes_hosts_in_the_swarm_over_tcp_only() -> None:
    shell = Caller({"tcp,198.18.0.73,2377": "taken", "tcp,198.18.0.73,7946": "closed"})
    probes = PortListeners(()).probe(shell, {"tondi": "198.18.0.73"}, frozenset({"tondi"}))
    assert shell.arguments == ["tcp,198.18.0.73,2377", "tcp,198.18.0.73,7946"]
    assert [(probe.port, probe.reached, probe.used_by_engine) for probe in probes] == [
        (2377, True, True),
        (7946, False, False),
    ]


def test_counts_a_port_without_an_answer_as_closed() -> None:
    probes = PortListeners(()).probe(Caller(), {"tondi": "198.18.0.73", "lausen": "198.18.0.64"})
    assert len(probes) == 2 * len(SWARM_PORTS)
    assert not any(probe.reached for probe in probes)
    assert {probe.target for probe in probes} == {"tondi", "lausen"}


NEAR = {"tondi": "198.18.0.73", "lausen": "198.18.0.64"}


@pytest.mark.parametrize(
    ("caller", "listeners", "reason", "says"),
    [
        (Caller(fails="perl"), (Caller(host="tondi"),), {"tondi", "lausen"}, "kaditz to tondi, kaditz to lausen: perl"),
        (Caller(), (Caller(host="tondi", fails="systemd-run"),), {"tondi"}, "kaditz to tondi: systemd-run failed on t"),
    ],
)
def test_warns_of_a_failed_probe(caller: Caller, listeners: tuple[Caller, ...], reason: set[str], says: str) -> None:
    with PortListeners(listeners) as listening:
        probes = listening.probe(caller, NEAR)
    assert {probe.target for probe in probes if probe.error} == reason
    warned = check_ports([probe for probe in probes if probe.error])
    assert [(finding.level, says in finding.text) for finding in warned] == [("warn", True)], warned


def test_does_not_probe_an_unreachable_host() -> None:
    shell = Caller()
    probes = PortListeners((), {"tondi": str(Unreachable("tondi is away"))}).probe(shell, NEAR)
    assert [probe.error for probe in probes if probe.target == "tondi"] == ["tondi is away"]
    assert len(shell.arguments) == len(SWARM_PORTS), "the other is"


# --- the programs that run on hosts ---------------------------------------------------------------------------------


@pytest.fixture
def free() -> int:
    """Return a port that is free for TCP and UDP."""
    with socket.socket() as item, socket.socket(type=socket.SOCK_DGRAM) as other:
        item.bind(("127.0.0.1", 0))
        other.bind(("127.0.0.1", item.getsockname()[1]))
        return int(item.getsockname()[1])


@pytest.fixture
def listener(free: int) -> Iterator[int]:
    listening = subprocess.Popen(["perl", "-e", LISTENER_SCRIPT, WORD, f"tcp:{free}", f"udp:{free}"])
    yield free
    listening.kill()
    listening.wait()


def listen_output(port: int, word: str = WORD) -> list[str]:
    return called([f"{kind},127.0.0.1,{port}" for kind in ("tcp", "udp")], word)


def called(targets: list[str], word: str = WORD) -> list[str]:
    result = subprocess.run(
        ["perl", "-e", CALLER_SCRIPT, word, *targets], capture_output=True, text=True, check=True, timeout=30
    )
    return [line.split()[1] for line in result.stdout.splitlines()]


@pytest.mark.processes
def test_caller_reaches_the_listener(listener: int) -> None:
    assert listen_output(listener) == ["open", "open"]


@pytest.mark.processes
def test_recognizes_the_listener_of_another_program(listener: int) -> None:
    assert listen_output(listener, "another word") == ["taken", "closed"]


@pytest.mark.processes
def test_reports_a_port_without_a_listener_as_closed(free: int) -> None:
    assert listen_output(free) == ["closed", "closed"]


@pytest.fixture
def swallowed() -> Iterator[list[str]]:
    """Yield 30 targets that never answer: a full connection queue, and a socket without a reader."""
    with ExitStack() as stack:
        full, unread_socket = socket.socket(), socket.socket(type=socket.SOCK_DGRAM)
        for open_socket in (full, unread_socket):
            stack.enter_context(open_socket).bind(("127.0.0.2", 0))
        full.listen(0)
        for _ in range(3):
            caller = stack.enter_context(socket.socket())
            caller.setblocking(False)
            caller.connect_ex(full.getsockname())
        yield [f"tcp,127.0.0.2,{full.getsockname()[1]}", f"udp,127.0.0.2,{unread_socket.getsockname()[1]}"] * 15


@pytest.mark.processes
def test_targets_that_drop_all_packets_delay_no_other_probe(listener: int, swallowed: list[str]) -> None:
    """With a firewall that drops packets, open ports are still found before the listeners end."""
    began = time.monotonic()
    assert called([*swallowed, f"tcp,127.0.0.1,{listener}"]) == [*(["closed"] * 30), "open"]
    assert time.monotonic() - began < 15, "not one after the other"


@pytest.mark.processes
def test_the_listener_ends_after_its_time_limit() -> None:
    """After a lost connection no listener may stay on the host."""
    assert "my $end = time + 120;" in LISTENER_SCRIPT
    result = subprocess.run(
        ["perl", "-e", ports.LISTENER_SCRIPT.replace("time + 120", "time + 1"), WORD], timeout=10, capture_output=True
    )
    assert result.returncode == 0
