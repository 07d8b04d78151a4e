"""The named checks on the Engine that a migration would leave: its version, its options, and the way to it. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from jobs.contract import Finding
from jobs.daemon_options import OptionFiles, assignments, effective, listens_tcp
from jobs.facts import HostFacts, Package, upstream
from jobs.inventory import Host
from jobs.preflight.conditions import Conditions

SPOKEN_WITH = (1, 12)  # the oldest Engine that the Docker SDK speaks with
DEFAULT = "/etc/default/docker"
QUIET: Mapping[str, str] = MappingProxyType(  # what the options' findings are silent about -> what that means
    {
        "live-restore": "not set",
        "firewall backend": "not nftables",
        "options given twice": "none",
        "labels": "each once",
        "options without a reader": "none",
    }
)
HINTS: Mapping[str, str] = MappingProxyType(  # to what passes and is to be known all the same
    {
        "live-restore": "Before an Engine is restarted, drain its node.",
        "options without a reader": "What is still wanted belongs into the unit or daemon.json; the rest misleads.",
    }
)


def options(now: OptionFiles, found: Sequence[Finding]) -> tuple[Finding, ...]:
    """`found` in the options, what nobody reads of them, and what is all right."""
    told = (*found, *_unread(now))
    hinted = (replace(finding, hint=finding.hint or HINTS.get(finding.check, "")) for finding in told)
    silent = QUIET.keys() - {finding.check for finding in told}
    return (*hinted, *(Finding(check, "pass", QUIET[check]) for check in QUIET if check in silent))


def _unread(now: OptionFiles) -> Iterator[Finding]:
    """Besides DOCKER_OPTS: options under a name that the unit does not use, and drop-ins that a later one replaces."""
    if not now.unit.fragment_path:
        return
    flags = [name for name, value in assignments(now.files.get(DEFAULT, "")).items() if value.lstrip("\"' ")[:1] == "-"]
    for name in flags:
        if name != "DOCKER_OPTS" and not _uses(now, name):
            yield Finding("options without a reader", "pass", f"{DEFAULT} sets {name}, which the unit does not use")
    for number, path in enumerate(now.unit.drop_in_paths, 1):
        alone = replace(now, unit=replace(now.unit, drop_in_paths=now.unit.drop_in_paths[:number]))
        if path in _sources(alone) - _sources(now):
            yield Finding("options without a reader", "pass", f"{path} has options, and a later drop-in replaces them")


def _uses(now: OptionFiles, name: str) -> bool:
    asked = replace(now, files={**now.files, DEFAULT: f"{name}=--asked\n"})
    return any(option.name == "asked" for option in effective(asked))


def _sources(now: OptionFiles) -> set[str]:
    return {option.path for option in effective(now)}


def version(package: Package, target: str) -> Finding:
    if target in package.older:
        text = f"apt would bring {target}, older than {package.installed}: no Engine reads what a newer one has written"
        return Finding(
            "candidate version", "block", text, "Name one that is no older: [engine] version; or a source that has one."
        )
    if target == package.installed and not package.present:
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
