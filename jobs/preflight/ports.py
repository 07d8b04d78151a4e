"""Whether two hosts reach each other's swarm ports: really probed, by a listener there and a caller here, both ways.

A port that the Engine itself holds is asked by a TCP connection; its UDP cannot be asked, and is not reported on.
"""

import secrets
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import MappingProxyType

from jobs import remote
from jobs.contract import Finding
from jobs.errors import JobError
from jobs.shell import Shell

UNIT = "imker-probe.service"
PORTS = (("tcp", 2377), ("tcp", 7946), ("udp", 7946), ("udp", 4789))
AT_ONCE = 8  # hosts
# Perl is there on every Debian and Ubuntu. It answers each caller with the word it was given; 120 s, then it ends.
LISTEN = r"""
use strict; use IO::Socket::INET; use IO::Select; my ($word, @ports) = @ARGV; my $set = IO::Select->new; my %udp;
for (@ports) { my ($kind, $port) = split /:/;
  my @more = $kind eq 'tcp' ? (Listen => 20, ReuseAddr => 1) : ();
  my $socket = IO::Socket::INET->new(Proto => $kind, LocalPort => $port, @more) or next;
  $udp{$socket} = 1 if $kind eq 'udp'; $set->add($socket); }
my $end = time + 120;
while (time < $end) { for my $socket ($set->can_read(1)) {
  if ($udp{$socket}) { my $from = $socket->recv(my $said, 64); $socket->send($word, 0, $from) if defined $from; }
  else { my $caller = $socket->accept or next; print $caller $word; close $caller; } } }
"""
# All ports at once, three times at most, 2 s each: a listener may be a moment late, and a datagram may get lost.
# What is connected and says nothing is somebody else's; what is not connected by then is closed.
CALL = r"""
use strict; use IO::Socket::INET; use IO::Select; my ($word, @targets) = @ARGV; my %found;
for my $try (1 .. 3) { my @left = grep { !$found{$_} } @targets or last; my %asked;
  my $set = IO::Select->new; select undef, undef, undef, 0.3 if $try > 1;
  for my $target (@left) { my ($kind, $address, $port) = split /,/, $target;
    my $socket = IO::Socket::INET->new(Proto => $kind, PeerAddr => $address, PeerPort => $port, Blocking => 0) or next;
    $socket->send('imker?') if $kind eq 'udp'; $asked{$socket} = $target; $set->add($socket); }
  my $end = time + 2;
  while ($set->count && (my $left = $end - time) > 0) { for my $socket ($set->can_read($left)) {
    $socket->recv(my $said, 64); $set->remove($socket);
    if ($said eq $word) { $found{$asked{$socket}} = 'open' }
    elsif ($asked{$socket} =~ /^tcp/ && $socket->connected) { $found{$asked{$socket}} = 'taken' } } }
  for ($set->handles) { $found{$asked{$_}} = 'taken' if $asked{$_} =~ /^tcp/ && $_->connected } }
print "$_ ", $found{$_} || 'closed', "\n" for @targets;
"""


@dataclass(frozen=True)
class PortProbe:
    """One direction, between hosts by name: whether `caller` reached `target`. `held`: by the Engine there.

    `untried`: why it is not known; then there is no port.
    """

    caller: str
    target: str
    kind: str = ""
    port: int = 0
    reached: bool = False
    held: bool = False
    untried: str = ""


Probes = tuple[PortProbe, ...]


class Listening:
    """Listeners on hosts, from entering to leaving. What is held by an Engine is left to it.

    `deaf`: name -> why there is none; what is closed there says nothing.
    """

    def __init__(self, shells: Sequence[Shell], deaf: Mapping[str, str] = MappingProxyType({})) -> None:
        self._shells = shells
        self._word = secrets.token_hex(8)
        self._deaf = dict(deaf)

    def __enter__(self) -> "Listening":
        self._everywhere(self._begin)
        return self

    def __exit__(self, *_: object) -> None:
        self._everywhere(lambda shell: remote.forget_unit(shell, UNIT))

    def _begin(self, shell: Shell) -> None:
        remote.forget_unit(shell, UNIT)
        ports = [f"{kind}:{port}" for kind, port in PORTS]
        remote.start_program(shell, UNIT, "Imker: are the ports open?", "perl", "-e", LISTEN, self._word, *ports)

    def _everywhere(self, work: Callable[[Shell], None]) -> None:
        def tried(shell: Shell) -> None:
            try:
                work(shell)
            except JobError as failed:
                self._deaf.setdefault(shell.host, failed.summary)

        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(tried, self._shells))

    def called(self, shell: Shell, targets: Mapping[str, str], held: frozenset[str] = frozenset()) -> Probes:
        """Every port of `targets` (name -> address), called. `held`: names whose Engine is in a swarm already."""
        deaf = tuple(PortProbe(shell.host, name, untried=self._deaf[name]) for name in targets if name in self._deaf)
        heard = {name: address for name, address in targets.items() if name not in self._deaf}
        try:
            return (*deaf, *_call(shell, self._word, heard, held))
        except JobError as failed:
            return (*deaf, *(PortProbe(shell.host, name, untried=failed.summary) for name in heard))


def _call(shell: Shell, word: str, targets: Mapping[str, str], held: frozenset[str]) -> Probes:
    asked = [
        (name, kind, address, port)
        for name, address in targets.items()
        for kind, port in PORTS
        if name not in held or kind == "tcp"
    ]
    lines = [f"{kind},{address},{port}" for _, kind, address, port in asked]
    said = dict(line.rsplit(" ", 1) for line in shell.run("perl", "-e", CALL, word, *lines).stdout.splitlines())
    return tuple(
        PortProbe(shell.host, name, kind, port, said.get(line, "closed") != "closed", said.get(line) == "taken")
        for (name, kind, _, port), line in zip(asked, lines, strict=True)
    )


def findings(probes: Sequence[PortProbe]) -> tuple[Finding, ...]:
    """TCP 2377 is how a node joins, and blocks; the others carry what overlay networks need, and warn."""
    if not probes:
        return (Finding("ports", "pass", "nobody to try them with yet, or in the swarm already"),)
    found = []
    for kind, port in PORTS:
        closed = [f"{p.caller} to {p.target}" for p in probes if (p.kind, p.port) == (kind, port) and not p.reached]
        if closed:
            text = f"{kind.upper()} {port} does not get through: {', '.join(closed)}"
            found.append(
                Finding("ports", "block" if port == 2377 else "warn", text, "Open it in the firewall between them.")
            )
    return (*found, *_untried(probes)) or (
        Finding("ports", "pass", "2377, 7946 and 4789 get through, both ways where they can be asked"),
    )


def _untried(probes: Sequence[PortProbe]) -> tuple[Finding, ...]:
    """Why nobody knows about some: said once for each reason."""
    reasons = dict.fromkeys(probe.untried for probe in probes if probe.untried)
    pairs = {why: [f"{p.caller} to {p.target}" for p in probes if p.untried == why] for why in reasons}
    hint = "See that TCP 2377, TCP and UDP 7946 and UDP 4789 are open between them."
    return tuple(
        Finding("ports", "warn", f"could not be tried, {', '.join(between)}: {why}", hint)
        for why, between in pairs.items()
    )
