"""The named checks on the Engine that a migration would leave: its version, its options, and the way to it. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from imker.protocol.values import Finding
from jobs.daemon_options import OptionFiles, effective, listens_tcp
from jobs.daemon_options.environment_file import variables
from jobs.facts.environment import HostEnvironment
from jobs.facts.host import HostFacts
from jobs.facts.packages import Package, parse_engine_version
from jobs.inventory.model import Host

OLDEST_SUPPORTED_ENGINE = (1, 12)  # the oldest Engine that the Docker SDK speaks with
DEFAULT_FILE = "/etc/default/docker"
PASS_TEXT: Mapping[str, str] = MappingProxyType(  # what the options' findings are silent about -> what that means
    {
        "live-restore": "not set",
        "firewall backend": "not nftables",
        "options given twice": "none",
        "labels": "each once",
        "options without a reader": "none",
    }
)
PASS_HINTS: Mapping[str, str] = MappingProxyType(  # to what passes and is to be known all the same
    {
        "live-restore": "Before an Engine is restarted, drain its node.",
        "options without a reader": "What is still wanted belongs into the unit or daemon.json; the rest misleads.",
    }
)


def check_options(options: OptionFiles, findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """`found` in the options, what nobody reads of them, and what is all right."""
    all_findings = (*findings, *_find_unused_options(options))
    hinted = (replace(finding, hint=finding.hint or PASS_HINTS.get(finding.check, "")) for finding in all_findings)
    silent = PASS_TEXT.keys() - {finding.check for finding in all_findings}
    return (*hinted, *(Finding(check, "pass", PASS_TEXT[check]) for check in PASS_TEXT if check in silent))


def _find_unused_options(options: OptionFiles) -> Iterator[Finding]:
    """Besides DOCKER_OPTS: options under a name that the unit does not use, and drop-ins that a later one replaces."""
    if not options.unit.fragment_path:
        return
    flags = [
        name
        for name, value in variables(options.files.get(DEFAULT_FILE, "")).items()
        if value.lstrip("\"' ")[:1] == "-"
    ]
    for name in flags:
        if name != "DOCKER_OPTS" and not _unit_uses(options, name):
            yield Finding(
                "options without a reader", "pass", f"{DEFAULT_FILE} sets {name}, which the unit does not use"
            )
    for number, path in enumerate(options.unit.drop_in_paths, 1):
        alone = replace(options, unit=replace(options.unit, drop_in_paths=options.unit.drop_in_paths[:number]))
        if path in _option_paths(alone) - _option_paths(options):
            yield Finding("options without a reader", "pass", f"{path} has options, and a later drop-in replaces them")


def _unit_uses(options: OptionFiles, name: str) -> bool:
    with_probe = replace(options, files={**options.files, DEFAULT_FILE: f"{name}=--asked\n"})
    return any(option.name == "asked" for option in effective(with_probe))


def _option_paths(options: OptionFiles) -> set[str]:
    return {option.path for option in effective(options)}


def check_version(package: Package, target_version: str) -> Finding:
    if target_version in package.downgrades:
        text = f"apt would bring {target_version}, older than {package.installed}: no Engine reads what a newer one has written"
        return Finding(
            "candidate version", "block", text, "Name one that is no older: [engine] version; or a source that has one."
        )
    if target_version == package.installed and not package.replaces:
        return Finding("candidate version", "pass", f"{target_version} is installed")
    return Finding("candidate version", "pass", f"apt offers {target_version}")


def check_api(host: Host, facts: HostFacts, options_after: OptionFiles) -> tuple[Finding, ...]:
    """Only an answer over TLS counts as success. `after`: the options as they would be."""
    if facts.environment is None:
        return ()
    return (_api_unavailable(host, facts.environment, options_after) or _api_reachable(host, facts),)


def _api_unavailable(host: Host, environment: HostEnvironment, options_after: OptionFiles) -> Finding | None:
    """Why it could never answer."""
    if not _has_tls(options_after) or not (listens_tcp(options_after) or environment.has_tcp_socket):
        text = f"with its options {host.name}'s Engine has no TCP port with TLS: Imker could not see it come back"
        hint = f"Give it -H tcp://0.0.0.0:{host.engine_port}, tlsverify, tlscacert, tlscert, tlskey; restart it first."
        return Finding("Engine API", "block", text, hint)
    if environment.unreadable_files:
        text = f"{', '.join(environment.unreadable_files)} cannot be read: the Engine would not start with TLS"
        hint = f"Put it back, or mend the options: docker-machine regenerate-certs {host.name}"
        return Finding("Engine API", "block", text, hint)
    return None


def _api_reachable(host: Host, facts: HostFacts) -> Finding:
    """What a cut migration has left silent is no news: its next start is among the steps."""
    if facts.api_reachable:
        return Finding("Engine API", "pass", "answers over TLS")
    if facts.engine_version and _major_minor(facts.engine_version) < OLDEST_SUPPORTED_ENGINE:
        return Finding(
            "Engine API", "pass", f"Engine {parse_engine_version(facts.engine_version)} is asked by its own command"
        )
    if facts.options_changed or facts.previously_running is not None:
        return Finding("Engine API", "pass", "is to answer once the Engine is restarted")
    text = f"{host.name}'s Engine does not answer over TLS from here now: if it does not afterwards, all goes back"
    hint = f"See that port {host.engine_port} is open from here, and that both sides' certificates are of one CA."
    return Finding("Engine API", "warn", text, hint)


def _has_tls(options: OptionFiles) -> bool:
    option_values = {option.name: option.value.lower() for option in effective(options)}
    return any(option_values.get(name, "false") not in ("false", "0") for name in ("tls", "tlsverify"))


def _major_minor(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in parse_engine_version(version).split(".")[:2] if part)
