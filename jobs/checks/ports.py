"""Check that the swarm's ports are open between hosts. Pure."""

from collections.abc import Sequence

from imker.protocol.values import Finding
from jobs.facts.ports import SWARM_PORTS, PortProbe


def check_ports(probes: Sequence[PortProbe]) -> tuple[Finding, ...]:
    """TCP 2377 is how a node joins, and blocks; the others carry what overlay networks need, and warn."""
    if not probes:
        return (Finding("ports", "pass", "nobody to try them with yet, or in the swarm already"),)
    results = []
    for kind, port in SWARM_PORTS:
        closed = [f"{p.caller} to {p.target}" for p in probes if (p.protocol, p.port) == (kind, port) and not p.reached]
        if closed:
            text = f"{kind.upper()} {port} does not get through: {', '.join(closed)}"
            results.append(
                Finding("ports", "block" if port == 2377 else "warn", text, "Open it in the firewall between them.")
            )
    return (*results, *_report_failed_probes(probes)) or (
        Finding("ports", "pass", "2377, 7946 and 4789 get through, both ways where they can be asked"),
    )


def _report_failed_probes(probes: Sequence[PortProbe]) -> tuple[Finding, ...]:
    """Why nobody knows about some: said once for each reason."""
    reasons = dict.fromkeys(probe.error for probe in probes if probe.error)
    pairs = {reason: [f"{p.caller} to {p.target}" for p in probes if p.error == reason] for reason in reasons}
    hint = "See that TCP 2377, TCP and UDP 7946 and UDP 4789 are open between them."
    return tuple(
        Finding("ports", "warn", f"could not be tried, {', '.join(between)}: {reason}", hint)
        for reason, between in pairs.items()
    )
