"""The probe between hosts: what is asked, what comes of the answers, and its two Perl programs against each other."""

import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from jobs.contract import Level
from jobs.preflight import ports
from jobs.preflight.ports import CALL, LISTEN, PORTS, PortProbe, call, findings
from jobs.ssh import Output

WORD = "0123456789abcdef"


@dataclass
class Caller:
    """A shell that answers for the ports that are open, and keeps what it was asked."""

    answers: dict[str, str] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    host: str = "kaditz"

    def run(self, *argv: str, **_: object) -> Output:
        self.asked = list(argv[4:])
        return Output(0, "".join(f"{line} {found}\n" for line, found in self.answers.items()), "")

    def reconnect(self) -> None:
        raise AssertionError("nothing was lost")


def probes(closed: set[tuple[str, int]], *, caller: str = "kaditz", target: str = "tondi") -> list[PortProbe]:
    return [PortProbe(caller, target, kind, port, (kind, port) not in closed) for kind, port in PORTS]


@pytest.mark.parametrize(
    ("closed", "wanted"),
    [
        (set(), [("pass", "2377, 7946 and 4789 get through")]),
        ({("tcp", 2377)}, [("block", "TCP 2377 does not get through: kaditz to tondi")]),
        ({("tcp", 7946)}, [("warn", "TCP 7946 does not")]),
        ({("udp", 7946)}, [("warn", "UDP 7946 does not")]),
        ({("udp", 4789)}, [("warn", "UDP 4789 does not")]),
        ({("udp", 4789), ("tcp", 2377)}, [("block", "TCP 2377"), ("warn", "UDP 4789")]),
    ],
)
def test_only_the_port_that_a_node_joins_by_blocks(
    closed: set[tuple[str, int]], wanted: list[tuple[Level, str]]
) -> None:
    found = findings(probes(closed))
    assert [
        (finding.level, finding.text[: len(text)]) for finding, (_, text) in zip(found, wanted, strict=True)
    ] == wanted


def test_every_direction_that_is_closed_is_named() -> None:
    both = [*probes({("tcp", 2377)}), *probes({("tcp", 2377)}, caller="tondi", target="kaditz")]
    (found,) = findings(both)
    assert found.text == "TCP 2377 does not get through: kaditz to tondi, tondi to kaditz"


def test_who_asked_nobody_claims_nothing() -> None:
    assert findings([]) == ()


def test_a_swarms_own_ports_are_asked_by_tcp_alone() -> None:
    shell = Caller({"tcp,198.18.0.73,2377": "taken", "tcp,198.18.0.73,7946": "closed"})
    told = call(shell, WORD, {"tondi": "198.18.0.73"}, frozenset({"tondi"}))
    assert shell.asked == ["tcp,198.18.0.73,2377", "tcp,198.18.0.73,7946"]
    assert [(probe.port, probe.reached, probe.held) for probe in told] == [(2377, True, True), (7946, False, False)]


def test_what_is_not_answered_for_counts_as_closed() -> None:
    told = call(Caller(), WORD, {"tondi": "198.18.0.73", "lausen": "198.18.0.64"}, frozenset())
    assert len(told) == 2 * len(PORTS)
    assert not any(probe.reached for probe in told)
    assert {probe.target for probe in told} == {"tondi", "lausen"}


# --- the programs that run on hosts ---------------------------------------------------------------------------------


@pytest.fixture
def free() -> int:
    """A port that nobody has, for TCP and UDP."""
    with socket.socket() as one, socket.socket(type=socket.SOCK_DGRAM) as other:
        one.bind(("127.0.0.1", 0))
        other.bind(("127.0.0.1", one.getsockname()[1]))
        return int(one.getsockname()[1])


@pytest.fixture
def listener(free: int) -> Iterator[int]:
    listening = subprocess.Popen(["perl", "-e", LISTEN, WORD, f"tcp:{free}", f"udp:{free}"])
    yield free
    listening.kill()
    listening.wait()


def said(port: int, word: str = WORD) -> list[str]:
    targets = [f"{kind},127.0.0.1,{port}" for kind in ("tcp", "udp")]
    done = subprocess.run(["perl", "-e", CALL, word, *targets], capture_output=True, text=True, check=True, timeout=30)
    return [line.split()[1] for line in done.stdout.splitlines()]


def test_caller_and_listener_understand_each_other(listener: int) -> None:
    assert said(listener) == ["open", "open"]


def test_somebody_elses_listener_is_not_taken_for_ours(listener: int) -> None:
    assert said(listener, "another word") == ["taken", "closed"]


def test_where_nobody_listens_it_is_closed(free: int) -> None:
    assert said(free) == ["closed", "closed"]


def test_the_listener_ends_by_itself() -> None:
    """A connection that is cut must not leave it behind for ever."""
    assert "my $end = time + 30;" in LISTEN
    done = subprocess.run(
        ["perl", "-e", ports.LISTEN.replace("time + 30", "time + 1"), WORD], timeout=10, capture_output=True
    )
    assert done.returncode == 0
