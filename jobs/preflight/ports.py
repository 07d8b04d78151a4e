"""Whether two hosts reach each other's swarm ports: really probed, by a listener there and a caller here, both ways.

A port that the Engine itself holds is asked by a TCP connection; its UDP cannot be asked, and is not reported on.
"""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from jobs import remote
from jobs.contract import Finding
from jobs.ssh import Shell

UNIT = "imker-probe.service"
PORTS = (("tcp", 2377), ("tcp", 7946), ("udp", 7946), ("udp", 4789))
# Perl is there on every Debian and Ubuntu. It answers each caller with the word it was given; 30 s, then it ends.
LISTEN = r"""
use strict; use IO::Socket::INET; use IO::Select; my ($word, @ports) = @ARGV; my $set = IO::Select->new; my %udp;
for (@ports) { my ($kind, $port) = split /:/;
  my @more = $kind eq 'tcp' ? (Listen => 20, ReuseAddr => 1) : ();
  my $socket = IO::Socket::INET->new(Proto => $kind, LocalPort => $port, @more) or next;
  $udp{$socket} = 1 if $kind eq 'udp'; $set->add($socket); }
my $end = time + 30;
while (time < $end) { for my $socket ($set->can_read(1)) {
  if ($udp{$socket}) { my $from = $socket->recv(my $said, 64); $socket->send($word, 0, $from) if defined $from; }
  else { my $caller = $socket->accept or next; print $caller $word; close $caller; } } }
"""
# Each port three times at most, 1 s each: a listener may be a moment late, and a datagram may get lost.
CALL = r"""
use strict; use IO::Socket::INET; use IO::Select; my ($word, @targets) = @ARGV;
for (@targets) { my ($kind, $address, $port) = split /,/; my $found = 'closed';
  for my $try (1 .. 3) {
    my $socket = IO::Socket::INET->new(Proto => $kind, PeerAddr => $address, PeerPort => $port, Timeout => 1);
    if ($socket) {
      $kind eq 'tcp' ? ($found = 'taken') : $socket->send('imker?');
      my $said = '';
      $socket->recv($said, 64) if IO::Select->new($socket)->can_read(1);
      $found = 'open' if $said eq $word; }
    last if $found ne 'closed'; select undef, undef, undef, 0.3; }
  print "$kind,$address,$port $found\n"; }
"""


@dataclass(frozen=True)
class PortProbe:
    """One direction, between hosts by name: whether `caller` reached `target`. `held`: by the Engine there."""

    caller: str
    target: str
    kind: str
    port: int
    reached: bool
    held: bool = False


class Listening:
    """Listeners on hosts, from entering to leaving. What is held by an Engine is left to it."""

    def __init__(self, shells: Sequence[Shell]) -> None:
        self._shells = shells
        self.word = secrets.token_hex(8)

    def __enter__(self) -> "Listening":
        for shell in self._shells:
            remote.forget_unit(shell, UNIT)
            ports = [f"{kind}:{port}" for kind, port in PORTS]
            remote.start_program(shell, UNIT, "Imker: are the ports open?", "perl", "-e", LISTEN, self.word, *ports)
        return self

    def __exit__(self, *_: object) -> None:
        for shell in self._shells:
            remote.forget_unit(shell, UNIT)


def call(shell: Shell, word: str, targets: Mapping[str, str], held: frozenset[str]) -> tuple[PortProbe, ...]:
    """Calls every port of `targets` (name -> address). `held`: names whose Engine is in a swarm already."""
    asked = [
        (name, kind, address, port)
        for name, address in targets.items()
        for kind, port in PORTS
        if name not in held or kind == "tcp"
    ]
    lines = [f"{kind},{address},{port}" for _, kind, address, port in asked]
    said = dict(
        line.rsplit(" ", 1) for line in shell.run("perl", "-e", CALL, word, *lines, timeout=90).stdout.splitlines()
    )
    return tuple(
        PortProbe(shell.host, name, kind, port, said.get(line, "closed") != "closed", said.get(line) == "taken")
        for (name, kind, _, port), line in zip(asked, lines, strict=True)
    )


def findings(probes: Sequence[PortProbe]) -> tuple[Finding, ...]:
    """TCP 2377 is how a node joins, and blocks; the others carry what overlay networks need, and warn."""
    if not probes:
        return ()
    found = []
    for kind, port in PORTS:
        closed = [f"{p.caller} to {p.target}" for p in probes if (p.kind, p.port) == (kind, port) and not p.reached]
        if closed:
            text = f"{kind.upper()} {port} does not get through: {', '.join(closed)}"
            found.append(
                Finding("ports", "block" if port == 2377 else "warn", text, "Open it in the firewall between them.")
            )
    return tuple(found) or (
        Finding("ports", "pass", "2377, 7946 and 4789 get through, both ways where they can be asked"),
    )
