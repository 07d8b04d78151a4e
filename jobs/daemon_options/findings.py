"""Check the daemon's options before the Engine is changed. Pure."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

from imker.protocol.values import Finding
from jobs.daemon_options import conflicts, leftovers
from jobs.daemon_options.daemon_json import parse
from jobs.daemon_options.effective import config_file, effective, used_environment_files
from jobs.daemon_options.environment_file import variables
from jobs.daemon_options.flags import key
from jobs.daemon_options.model import Option, OptionFiles

REMOVED_DRIVERS = {"aufs": 24, "overlay": 24, "devicemapper": 25}  # storage driver -> first Engine without it
# Name of a flag and key -> first Engine that does not start with it.
REMOVED = {
    "exec-driver": 1,
    "api-enable-cors": 18,
    "disable-legacy-registry": 18,
    "oom-score-adjust": 25,
    "api-cors-header": 27,
}
OWN_LABELS = ("com.docker.", "io.docker.", "org.dockerproject.")  # reserved for Docker since 20.10
TLS_OFF_REFUSED_SINCE = 27  # first Engine that does not start with a remote TCP port and TLS set to false


def find_problems(
    options: OptionFiles, files_after: Mapping[str, str], target_version: str, *, options_changed: bool
) -> tuple[Finding, ...]:
    """Return the findings. `files_after`: texts after the rewrite; `options_changed`: since the daemon started."""
    before, options_after = effective(options), effective(replace(options, files=files_after))
    major = int(target_version.split(".")[0] or 0) if target_version[:1].isdigit() else 0
    return (
        *_check_json(options),
        *leftovers.find_leftovers(options, files_after, options_changed=options_changed),
        *_check_storage_driver(options_after, major),
        *_check_removed_options(options_after, major),
        *conflicts.find_conflicts(options_after, major),
        *_check_labels(options_after),
        *_check_tls(options_after, major),
        *_check_live_restore(before),
        *_check_firewall_backend(options_after),
        *_check_unused_files(options),
    )


def _check_json(options: OptionFiles) -> tuple[Finding, ...]:
    path = config_file(options)
    text = options.files.get(path)
    if text is None or isinstance(parse(text), dict):
        return ()
    hint = f"Fix {path}: it must contain one JSON object."
    return (Finding("daemon.json", "block", f"{path} is not valid JSON; the Engine would not start", hint),)


def _check_storage_driver(options_found: tuple[Option, ...], major: int) -> tuple[Finding, ...]:
    drivers = {option.value for option in options_found if key(option.name) == "storage-driver"}
    removed_drivers = sorted(driver for driver in drivers if major >= REMOVED_DRIVERS.get(driver, major + 1))
    hint = "Move the images and containers to overlay2 first, or choose an older [engine] version."
    return tuple(
        Finding("storage driver", "block", f"Engine {major} has no storage driver {driver}", hint)
        for driver in removed_drivers
    )


def _check_removed_options(options_found: tuple[Option, ...], major: int) -> tuple[Finding, ...]:
    removed_options = sorted(
        {key(option.name) for option in options_found if major >= REMOVED.get(key(option.name), major + 1)}
    )
    hint = "Remove it on the host, or choose an older [engine] version."
    return tuple(
        Finding("removed options", "block", f"Engine {major} does not start with the option {name}", hint)
        for name in removed_options
    )


def _check_labels(options_found: tuple[Option, ...]) -> tuple[Finding, ...]:
    labels = {option.value for option in options_found if key(option.name) == "labels"}
    counted = Counter(label.split("=", 1)[0] for label in labels)
    hint = "Keep one of them: newer Engines reject two values for one label."
    rename_hint = "Rename it: Engines since 20.10 do not start with it."
    return (
        *(
            Finding("labels", "block", f"label {name} has {number} values", hint)
            for name, number in counted.items()
            if number > 1
        ),
        *(
            Finding("labels", "block", f"label {name} has a name reserved for Docker", rename_hint)
            for name in counted
            if name.startswith(OWN_LABELS)
        ),
    )


def _check_tls(options_found: tuple[Option, ...], major: int) -> tuple[Finding, ...]:
    off = [
        option.name
        for option in options_found
        if option.name in ("tls", "tlsverify") and option.value.lower() == "false"
    ]
    ports = [
        option.value for option in options_found if option.name in ("H", "host", "hosts") and _is_remote(option.value)
    ]
    if major < TLS_OFF_REFUSED_SINCE or not off or not ports:
        return ()
    text = f"{', '.join(off)} is false while {ports[0]} is open to other hosts; Engine {major} would not start"
    return (Finding("TLS", "block", text, "Set tlsverify with tlscacert, tlscert, and tlskey. Imker needs it too."),)


def _is_remote(address: str) -> bool:
    return address.startswith("tcp://") and not address.startswith(("tcp://127.", "tcp://localhost", "tcp://[::1]"))


def _check_live_restore(options_found: tuple[Option, ...]) -> tuple[Finding, ...]:
    if not any(option.name == "live-restore" and option.value.lower() != "false" for option in options_found):
        return ()
    text = "will be removed, as swarm mode requires; from then on containers stop with the Engine"
    return (Finding("live-restore", "pass", text),)


def _check_firewall_backend(options_found: tuple[Option, ...]) -> tuple[Finding, ...]:
    if not any(option.name == "firewall-backend" and option.value == "nftables" for option in options_found):
        return ()
    text = "swarm mode does not support firewall-backend nftables"
    return (Finding("firewall backend", "block", text, "Set firewall-backend to iptables."),)


def _check_unused_files(options: OptionFiles) -> tuple[Finding, ...]:
    """Find options in /etc/default/docker that are unused, as only some packages' units read it."""
    path = "/etc/default/docker"
    is_unused = "DOCKER_OPTS" in variables(options.files.get(path, "")) and path not in used_environment_files(options)
    text = f"{path} sets DOCKER_OPTS, which the unit does not use"
    return (Finding("options without a reader", "pass", text),) if is_unused and options.unit.fragment_path else ()
