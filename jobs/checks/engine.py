"""Check the Engine that a migration would leave: its version, its options, and its API. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from imker.protocol.values import Finding
from jobs.daemon_options import OptionFiles, effective, listens_locally, listens_tcp
from jobs.daemon_options.effective import command
from jobs.daemon_options.environment_file import variables
from jobs.facts.environment import HostEnvironment
from jobs.facts.host import HostFacts
from jobs.facts.packages import Package, parse_engine_version, restarts_engine
from jobs.inventory.model import Host

OLDEST_SUPPORTED_ENGINE = (1, 12)  # the oldest Engine that the Docker SDK supports
OLDEST_DIALING_ENGINE = (18, 9)  # the oldest whose docker command leads to its API over SSH
DOCKER_SOCKET = "/var/run/docker.sock"
DEFAULT_FILE = "/etc/default/docker"
PACKAGED_UNITS = ("/lib/systemd/", "/usr/lib/systemd/")
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


def check_unit(package: Package, options_after: OptionFiles) -> tuple[Finding, ...]:
    """Block a package whose unit would not read the options. `options_after`: the options after the migration.

    Docker's own packages have a unit without /etc/default/docker. A unit or a drop-in in /etc stays in effect.
    """
    starts_from = command(options_after)[1]
    lost = [option.name for option in effective(options_after) if option.path == DEFAULT_FILE]
    if not (package.replaces and restarts_engine(package.name) and lost and starts_from.startswith(PACKAGED_UNITS)):
        return ()
    text = f"the unit of {package.name} does not read {DEFAULT_FILE}, so these options would be lost: "
    hint = f"Move them to /etc/docker/daemon.json, or set [engine] package to {package.replaces}."
    return (Finding("options without a reader", "block", text + ", ".join(dict.fromkeys(lost)), hint),)


def check_restart(facts: HostFacts, package: Package) -> tuple[Finding, ...]:
    """Say that the package restarts the Engine while apt runs, before Imker does. `package`: the one to install."""
    if not restarts_engine(package.name):
        return ()
    text = f"{package.name} restarts the Engine itself while apt installs it, and Imker restarts it again"
    if not facts.membership.is_manager:
        return (Finding("restart by the package", "pass", text),)
    text += "; meanwhile this manager is away, whatever happens to other managers"
    hint = "Migrate and upgrade managers one at a time, as `migrate all` does."
    return (Finding("restart by the package", "warn", text, hint),)


def check_version(package: Package, target_version: str) -> Finding:
    if target_version in package.downgrades:
        text = f"apt would downgrade {package.installed} to {target_version}; an older Engine cannot read newer data"
        hint = "Set [engine] version to one that is not older, or use an apt source that offers one."
        return Finding("candidate version", "block", text, hint)
    if target_version == package.installed and not package.replaces:
        return Finding("candidate version", "pass", f"{target_version} is installed")
    return Finding("candidate version", "pass", f"apt offers {target_version}")


def check_api(host: Host, facts: HostFacts, options_after: OptionFiles) -> tuple[Finding, ...]:
    """Check that the restarted Engine's API can be verified. `options_after`: the options after the migration."""
    if facts.environment is None:
        return ()
    over_ssh = host.engine_over == "ssh"
    unavailable = _no_socket(host, options_after) if over_ssh else _no_tls(host, facts.environment, options_after)
    return (unavailable or _unreadable_tls(host, facts.environment) or _api_reachable(host, facts),)


def _no_tls(host: Host, environment: HostEnvironment, options_after: OptionFiles) -> Finding | None:
    """Return why the API could never answer over TLS with these options, or None."""
    if _has_tls(options_after) and (listens_tcp(options_after) or environment.has_tcp_socket):
        return None
    text = f"{host.name}'s Engine opens no TCP port with TLS, so Imker could not verify its restart"
    hint = f"Set -H tcp://0.0.0.0:{host.engine_port}, tlsverify, tlscacert, tlscert, and tlskey, then restart it."
    hint += f' Or reach it over SSH: engine_over = "ssh" in [hosts.{host.name}].'
    return Finding("Engine API", "block", text, hint)


def _no_socket(host: Host, options_after: OptionFiles) -> Finding | None:
    """Return why the API could never answer over SSH with these options, or None."""
    if listens_locally(options_after):
        return None
    text = f"{host.name}'s Engine opens no socket at {DOCKER_SOCKET}, so Imker could not verify its restart over SSH"
    return Finding("Engine API", "block", text, "Add -H fd:// to its options, then restart it.")


def _unreadable_tls(host: Host, environment: HostEnvironment) -> Finding | None:
    """Return which files of the options keep the Engine from starting, or None."""
    if not environment.unreadable_files:
        return None
    text = f"{', '.join(environment.unreadable_files)} cannot be read, so the Engine would not start with TLS"
    hint = f"Restore the file, fix the options, or run `docker-machine regenerate-certs {host.name}`."
    return Finding("Engine API", "block", text, hint)


def _api_reachable(host: Host, facts: HostFacts) -> Finding:
    """Return the finding on an API that can answer. After an interrupted migration it passes: a restart follows."""
    if facts.api_reachable:
        return Finding("Engine API", "pass", f"answers over {host.engine_protocol}")
    oldest = OLDEST_SUPPORTED_ENGINE if host.engine_over == "tls" else OLDEST_DIALING_ENGINE
    if facts.engine_version and _major_minor(facts.engine_version) < oldest:
        return Finding(
            "Engine API", "pass", f"Engine {parse_engine_version(facts.engine_version)} is read with the docker command"
        )
    if facts.options_changed or facts.previously_running is not None:
        return Finding("Engine API", "pass", "expected to answer after the Engine restarts")
    text = f"{host.name}'s Engine is unreachable over {host.engine_protocol}; if it stays so after the restart, "
    text += "Imker rolls back"
    if host.engine_over == "ssh":
        hint = f"Check on {host.name} that `sudo docker system dial-stdio` runs."
    else:
        hint = f"Check that port {host.engine_port} is open to Imker and that both certificates come from the same CA."
    return Finding("Engine API", "warn", text, hint)


def _has_tls(options: OptionFiles) -> bool:
    option_values = {option.name: option.value.lower() for option in effective(options)}
    return any(option_values.get(name, "false") not in ("false", "0") for name in ("tls", "tlsverify"))


def _major_minor(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in parse_engine_version(version).split(".")[:2] if part)
