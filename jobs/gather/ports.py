"""Probe the swarm's ports between hosts: a listener on one, a caller on the other, both ways."""

import secrets
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import MappingProxyType

from jobs.connectors import systemd
from jobs.connectors.shell import Shell, command, script, sudo
from jobs.errors import JobError
from jobs.facts.ports import SWARM_PORTS, PortProbe, Probes

PROBE_UNIT = "imker-probe.service"
MAX_PARALLEL_HOSTS = 32
# Every Debian and Ubuntu has Perl. The listener answers each caller with its nonce, and ends after 120 s.
LISTENER_SCRIPT = r"""
use strict; use IO::Socket::INET; use IO::Select; my ($word, @ports) = @ARGV; my $set = IO::Select->new; my %udp;
for (@ports) { my ($kind, $port) = split /:/;
  my @more = $kind eq 'tcp' ? (Listen => 20, ReuseAddr => 1) : ();
  my $socket = IO::Socket::INET->new(Proto => $kind, LocalPort => $port, @more) or next;
  $udp{$socket} = 1 if $kind eq 'udp'; $set->add($socket); }
my $end = time + 120;
while (time < $end && $set->count) { for my $socket ($set->can_read(1)) {
  if ($udp{$socket}) { my $from = $socket->recv(my $said, 64); $socket->send($word, 0, $from) if defined $from; }
  else { my $caller = $socket->accept or next; print $caller $word; close $caller; } } }
"""
# Probe all ports at once, again and again for up to 6 s: a listener may start late, and a datagram may get lost. An
# attempt ends after 2 s without an answer, or when all ports are refused; after 1 s of refusals no listener will start.
# A connection without an answer belongs to another program ("taken"). A port without a connection is closed.
CALLER_SCRIPT = r"""
use strict; use IO::Socket::INET; use IO::Select; my ($word, @targets) = @ARGV; my %found;
my $stop = time + 5;
for my $try (1 .. 10) { my @left = grep { !$found{$_} } @targets or last; my %asked; last if time > $stop;
  my $set = IO::Select->new; select undef, undef, undef, 0.1 if $try > 1;
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


# Run the rest of the arguments, which start the unit $1. If an earlier probe left the unit, remove it first.
START_SCRIPT = """\
unit=$1; shift; "$@" 2>/dev/null && exit
systemctl stop "$unit" 2>/dev/null; systemctl reset-failed "$unit" 2>/dev/null; exec "$@"
"""


class PortListeners:
    """Listen on the swarm's ports of some hosts while the context is open. Ports in use by an Engine stay with it.

    `failed`: host name -> why it has no listener. A closed port on such a host means nothing.
    """

    def __init__(self, shells: Sequence[Shell], failed: Mapping[str, str] = MappingProxyType({})) -> None:
        self._shells = shells
        self._nonce = secrets.token_hex(8)
        self._failed = dict(failed)

    def __enter__(self) -> "PortListeners":
        self._on_all_hosts(self._start)
        return self

    def __exit__(self, *_: object) -> None:
        self._on_all_hosts(lambda shell: systemd.reset_unit(shell, PROBE_UNIT))

    def _start(self, shell: Shell) -> None:
        ports = [f"{kind}:{port}" for kind, port in SWARM_PORTS]
        program = systemd.program_command(
            PROBE_UNIT, "Imker: are the ports open?", "perl", "-e", LISTENER_SCRIPT, self._nonce, *ports
        )
        shell.run(sudo(*program).wrapped(*script(START_SCRIPT, PROBE_UNIT)))

    def _on_all_hosts(self, work: Callable[[Shell], object]) -> None:
        def try_work(shell: Shell) -> None:
            try:
                work(shell)
            except JobError as error:
                self._failed.setdefault(shell.host, error.summary)

        with ThreadPoolExecutor(MAX_PARALLEL_HOSTS) as pool:
            list(pool.map(try_work, self._shells))

    def probe(self, shell: Shell, targets: Mapping[str, str], used_by_engine: frozenset[str] = frozenset()) -> Probes:
        """Probe all ports of `targets` (name -> address). `used_by_engine`: hosts that are in a swarm already."""
        untested = tuple(
            PortProbe(shell.host, name, error=self._failed[name]) for name in targets if name in self._failed
        )
        testable = {name: address for name, address in targets.items() if name not in self._failed}
        try:
            return (*untested, *_probe_targets(shell, self._nonce, testable, used_by_engine))
        except JobError as error:
            return (*untested, *(PortProbe(shell.host, name, error=error.summary) for name in testable))


def _probe_targets(shell: Shell, nonce: str, targets: Mapping[str, str], used_by_engine: frozenset[str]) -> Probes:
    pairs = [
        (name, kind, address, port)
        for name, address in targets.items()
        for kind, port in SWARM_PORTS
        if name not in used_by_engine or kind == "tcp"
    ]
    lines = [f"{kind},{address},{port}" for _, kind, address, port in pairs]
    output = shell.run(command("perl", "-e", CALLER_SCRIPT, nonce, *lines)).stdout
    states = dict(line.rsplit(" ", 1) for line in output.splitlines())
    return tuple(
        PortProbe(shell.host, name, kind, port, states.get(line, "closed") != "closed", states.get(line) == "taken")
        for (name, kind, _, port), line in zip(pairs, lines, strict=True)
    )
