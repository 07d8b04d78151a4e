"""The named checks on the Engine that a migration would leave: its version, its options, and the way to it. Pure."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from jobs.contract import Finding
from jobs.daemon_options import OptionFiles, effective, listens_tcp
from jobs.facts import HostFacts, Package, upstream
from jobs.inventory import Host
from jobs.preflight.conditions import Conditions

SPOKEN_WITH = (1, 12)  # the oldest Engine that the Docker SDK speaks with
QUIET: Mapping[str, str] = MappingProxyType(  # what the options' findings are silent about -> what that means
    {
        "live-restore": "not set",
        "firewall backend": "not nftables",
        "options given twice": "none",
        "labels": "each once",
        "options without a reader": "none",
    }
)


def options(found: Sequence[Finding]) -> tuple[Finding, ...]:
    """`found` in the options, and what was not."""
    spoken = {finding.check for finding in found}
    return (*found, *(Finding(check, "pass", text) for check, text in QUIET.items() if check not in spoken))


def version(package: Package, target: str) -> Finding:
    if target in package.older:
        text = f"apt would bring {target}, older than {package.installed}: no Engine reads what a newer one has written"
        return Finding(
            "candidate version", "block", text, "Name one that is no older: [engine] version; or a source that has one."
        )
    if target == package.installed:
        return Finding("candidate version", "pass", f"{target} is installed")
    return Finding("candidate version", "pass", f"apt offers {target}")


def api(host: Host, now: HostFacts, after: OptionFiles) -> tuple[Finding, ...]:
    """Only an answer over TLS counts as success. `after`: the options as they would be."""
    if now.conditions is None:
        return ()
    return (_closed(host, now.conditions, after) or _answers(host, now),)


def _closed(host: Host, seen: Conditions, after: OptionFiles) -> Finding | None:
    """Why it could never answer."""
    if not _tls(after) or not (listens_tcp(after) or seen.socket):
        text = f"with its options {host.name}'s Engine has no TCP port with TLS: Imker could not see it come back"
        hint = f"Give it -H tcp://0.0.0.0:{host.engine_port}, tlsverify, tlscacert, tlscert, tlskey; restart it first."
        return Finding("Engine API", "block", text, hint)
    if seen.unread:
        text = f"{', '.join(seen.unread)} cannot be read: the Engine would not start with TLS"
        hint = f"Put it back, or mend the options: docker-machine regenerate-certs {host.name}"
        return Finding("Engine API", "block", text, hint)
    return None


def _answers(host: Host, now: HostFacts) -> Finding:
    """What a cut migration has left silent is no news: its next start is among the steps."""
    if now.api:
        return Finding("Engine API", "pass", "answers over TLS")
    if now.engine and _number(now.engine) < SPOKEN_WITH:
        return Finding("Engine API", "pass", f"Engine {upstream(now.engine)} is asked by its own command")
    if now.stale or now.ran is not None:
        return Finding("Engine API", "pass", "is to answer once the Engine is restarted")
    text = f"{host.name}'s Engine does not answer over TLS from here now: if it does not afterwards, all goes back"
    hint = f"See that port {host.engine_port} is open from here, and that both sides' certificates are of one CA."
    return Finding("Engine API", "warn", text, hint)


def _tls(options: OptionFiles) -> bool:
    given = {option.name: option.value.lower() for option in effective(options)}
    return any(given.get(name, "false") not in ("false", "0") for name in ("tls", "tlsverify"))


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in upstream(version).split(".")[:2] if part)
