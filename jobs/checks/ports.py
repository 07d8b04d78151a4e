"""Check that the swarm's ports are open between hosts. Pure."""

from collections.abc import Sequence

from imker.protocol.values import Finding
from jobs.facts.ports import SWARM_PORTS, PortProbe


def check_ports(probes: Sequence[PortProbe]) -> tuple[Finding, ...]:
    """Return the findings on the probes. A closed TCP 2377 blocks, as nodes join through it; other ports warn."""
    if not probes:
        return (Finding("ports", "pass", "not tested: no other host to test with, or already in the swarm"),)
    results = []
    for kind, port in SWARM_PORTS:
        closed = [f"{p.caller} to {p.target}" for p in probes if (p.protocol, p.port) == (kind, port) and not p.reached]
        if closed:
            text = f"{kind.upper()} {port} is blocked: {', '.join(closed)}"
            results.append(
                Finding(
                    "ports", "block" if port == 2377 else "warn", text, "Open it in the firewall between these hosts."
                )
            )
    return (*results, *_report_failed_probes(probes)) or (
        Finding("ports", "pass", "2377, 7946, and 4789 are open in both directions, where tested"),
    )


def _report_failed_probes(probes: Sequence[PortProbe]) -> tuple[Finding, ...]:
    """Return one finding for each reason why probes failed."""
    reasons = dict.fromkeys(probe.error for probe in probes if probe.error)
    pairs = {reason: [f"{p.caller} to {p.target}" for p in probes if p.error == reason] for reason in reasons}
    hint = "Check that TCP 2377, TCP and UDP 7946, and UDP 4789 are open between these hosts."
    return tuple(
        Finding("ports", "warn", f"could not be tested, {', '.join(between)}: {reason}", hint)
        for reason, between in pairs.items()
    )
