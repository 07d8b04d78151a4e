"""Check the Engine that a migration would leave: its version, its options, and its API. Pure."""

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

OLDEST_SUPPORTED_ENGINE = (1, 12)  # the oldest Engine that the Docker SDK supports
DEFAULT_FILE = "/etc/default/docker"
# Check -> its text when there is no such finding.
PASS_TEXT: Mapping[str, str] = MappingProxyType(
    {
        "live-restore": "not set",
        "firewall backend": "not nftables",
        "options given twice": "none",
        "labels": "each once",
        "options without a reader": "none",
    }
)
# Check -> a hint that is worth reading although the finding passes.
PASS_HINTS: Mapping[str, str] = MappingProxyType(
    {
        "live-restore": "Drain the node before you restart its Engine.",
        "options without a reader": "Move options you still want into the unit or daemon.json, and delete the rest.",
    }
)


def check_options(options: OptionFiles, findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """Return the findings with hints, one for each unused option, and a pass for each check without one."""
    all_findings = (*findings, *_find_unused_options(options))
    hinted = (replace(finding, hint=finding.hint or PASS_HINTS.get(finding.check, "")) for finding in all_findings)
    found_checks = {finding.check for finding in all_findings}
    return (*hinted, *(Finding(check, "pass", text) for check, text in PASS_TEXT.items() if check not in found_checks))


def _find_unused_options(options: OptionFiles) -> Iterator[Finding]:
    """Find variables with options that the unit does not use, except DOCKER_OPTS, and drop-ins that are replaced."""
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
        up_to_this = replace(options, unit=replace(options.unit, drop_in_paths=options.unit.drop_in_paths[:number]))
        if path in _option_paths(up_to_this) - _option_paths(options):
            yield Finding("options without a reader", "pass", f"{path} has options that a later drop-in replaces")


def _unit_uses(options: OptionFiles, name: str) -> bool:
    with_probe = replace(options, files={**options.files, DEFAULT_FILE: f"{name}=--asked\n"})
    return any(option.name == "asked" for option in effective(with_probe))


def _option_paths(options: OptionFiles) -> set[str]:
    return {option.path for option in effective(options)}


def check_version(package: Package, target_version: str) -> Finding:
    if target_version in package.downgrades:
        text = f"apt would downgrade {package.installed} to {target_version}; an older Engine cannot read newer data"
        hint = "Set [engine] version to one that is not older, or use an apt source that offers one."
        return Finding("candidate version", "block", text, hint)
    if target_version == package.installed and not package.replaces:
        return Finding("candidate version", "pass", f"{target_version} is installed")
    return Finding("candidate version", "pass", f"apt offers {target_version}")


def check_api(host: Host, facts: HostFacts, options_after: OptionFiles) -> tuple[Finding, ...]:
    """Check that the restarted Engine can be verified over TLS. `options_after`: the options after the migration."""
    if facts.environment is None:
        return ()
    return (_api_unavailable(host, facts.environment, options_after) or _api_reachable(host, facts),)


def _api_unavailable(host: Host, environment: HostEnvironment, options_after: OptionFiles) -> Finding | None:
    """Return why the API could never answer with these options, or None."""
    if not _has_tls(options_after) or not (listens_tcp(options_after) or environment.has_tcp_socket):
        text = f"{host.name}'s Engine opens no TCP port with TLS, so Imker could not verify its restart"
        hint = f"Set -H tcp://0.0.0.0:{host.engine_port}, tlsverify, tlscacert, tlscert, and tlskey, then restart it."
        return Finding("Engine API", "block", text, hint)
    if environment.unreadable_files:
        text = f"{', '.join(environment.unreadable_files)} cannot be read, so the Engine would not start with TLS"
        hint = f"Restore the file, fix the options, or run `docker-machine regenerate-certs {host.name}`."
        return Finding("Engine API", "block", text, hint)
    return None


def _api_reachable(host: Host, facts: HostFacts) -> Finding:
    """Return the finding on an API that can answer. After an interrupted migration it passes: a restart follows."""
    if facts.api_reachable:
        return Finding("Engine API", "pass", "answers over TLS")
    if facts.engine_version and _major_minor(facts.engine_version) < OLDEST_SUPPORTED_ENGINE:
        return Finding(
            "Engine API", "pass", f"Engine {parse_engine_version(facts.engine_version)} is read with the docker command"
        )
    if facts.options_changed or facts.previously_running is not None:
        return Finding("Engine API", "pass", "expected to answer after the Engine restarts")
    text = f"{host.name}'s Engine is unreachable over TLS; if it stays so after the restart, Imker rolls back"
    hint = f"Check that port {host.engine_port} is open to Imker and that both certificates come from the same CA."
    return Finding("Engine API", "warn", text, hint)


def _has_tls(options: OptionFiles) -> bool:
    option_values = {option.name: option.value.lower() for option in effective(options)}
    return any(option_values.get(name, "false") not in ("false", "0") for name in ("tls", "tlsverify"))


def _major_minor(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in parse_engine_version(version).split(".")[:2] if part)
