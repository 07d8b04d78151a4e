"""Look at the hosts for the watch: certificates that end soon, and daemon options that differ from what Imker left.

Only hosts that Imker has migrated are asked, by one command over SSH each. What is in files here needs no host.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass

from pydantic import TypeAdapter

from imker.protocol.events import JobFinished
from imker.protocol.observation import EndingCertificate, HostObservation, OptionDrift
from imker.protocol.version import HOST_OBSERVATION_KEY
from imker.protocol.watch_commands import ObserveHosts
from jobs.context import JobContext
from jobs.errors import JobError
from jobs.events.option_digests import find_drift, load_digests
from jobs.facts.environment import parse_expiry
from jobs.facts.option_files import build_option_files
from jobs.facts.sections import MalformedAnswer
from jobs.gather.host_script import OPTIONS, malformed_error, read_sections
from jobs.gather.options import add_named_files
from jobs.gather.parallel import ParallelCalls
from jobs.handlers.dispatcher import dispatch
from jobs.inventory.certificates import EXPIRY_WARN_DAYS, ending_certificates
from jobs.inventory.model import Host

HOSTS_TIMEOUT = 60.0  # seconds for all hosts: slower ones count as unknown, and no read of a user waits longer
ENGINE_CERTIFICATE = "Engine certificate"
_HOSTS_ADAPTER: TypeAdapter[HostObservation] = TypeAdapter(HostObservation)


@dataclass(frozen=True)
class _InspectedHost:
    """What one host answered. `certificate_ends`: UNIX seconds, None if that could not be read."""

    changes: tuple[str, ...]
    certificate_ends: float | None


@dispatch.register
def observe_hosts(_: ObserveHosts, context: JobContext) -> None:
    """Save the observation of the hosts."""
    now = time.time()
    soon = now + EXPIRY_WARN_DAYS * 24 * 3600
    inspected = _inspect_hosts(context)
    answers = {name: answer for name, answer in inspected.items() if answer}
    observation = HostObservation(
        now,
        (*_client_certificates(context, soon), *_engine_certificates(answers, soon)),
        tuple(OptionDrift(name, answer.changes) for name, answer in answers.items() if answer.changes),
        tuple(name for name in inspected if name not in answers),
    )
    context.events.save_signed(HOST_OBSERVATION_KEY, _HOSTS_ADAPTER.dump_json(observation).decode())
    context.events.emit(JobFinished("done", f"{len(answers)} hosts"))


def _client_certificates(context: JobContext, soon: float) -> Iterator[EndingCertificate]:
    for host in context.inventory.values():
        for name, end in ending_certificates(host.tls, soon).items() if host.tls else ():
            yield EndingCertificate(host.name, name, end)


def _engine_certificates(answers: dict[str, _InspectedHost], soon: float) -> Iterator[EndingCertificate]:
    for name, answer in answers.items():
        if answer.certificate_ends is not None and answer.certificate_ends < soon:
            yield EndingCertificate(name, ENGINE_CERTIFICATE, answer.certificate_ends)


def _inspect_hosts(context: JobContext) -> dict[str, _InspectedHost | None]:
    """Inspect the hosts whose options Imker has saved, in parallel. None for a host that does not answer."""
    saved = {name: options for name in context.inventory if (options := load_digests(context.events, name)) is not None}

    def inspect(host: Host) -> _InspectedHost | None:
        try:
            return _inspect_host(context, host, saved[host.name])
        except JobError:
            return None

    calls = ParallelCalls(inspect, {name: context.inventory[name] for name in saved}, HOSTS_TIMEOUT)
    results = calls.results()
    return {name: results.get(name) for name in saved}


def _inspect_host(context: JobContext, host: Host, saved: dict[str, str]) -> _InspectedHost:
    """Read the option files and the Engine's certificate. Raises JobError."""
    with context.open_shell(host) as shell:
        sections = add_named_files(shell, read_sections(shell, OPTIONS))
    try:
        changes = find_drift(context.events, host.name, build_option_files(sections), saved)
    except MalformedAnswer as error:
        raise malformed_error(host.name, error) from error
    return _InspectedHost(changes, parse_expiry(sections["certificate"].text))
