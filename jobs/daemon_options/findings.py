"""What about the options a person should know before the Engine is touched. Pure."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

from imker.protocol.values import Finding
from jobs.daemon_options import conflicts, leftovers
from jobs.daemon_options.daemon_json import parsed
from jobs.daemon_options.effective import config_file, effective, used_environment_files
from jobs.daemon_options.environment_file import variables
from jobs.daemon_options.flags import key
from jobs.daemon_options.model import Option, OptionFiles

REMOVED_DRIVERS = {"aufs": 24, "overlay": 24, "devicemapper": 25}  # storage driver -> first Engine without it
# Flag and key -> first Engine that does not start with it.
REMOVED = {
    "exec-driver": 1,
    "api-enable-cors": 18,
    "disable-legacy-registry": 18,
    "oom-score-adjust": 25,
    "api-cors-header": 27,
}
OWN_LABELS = ("com.docker.", "io.docker.", "org.dockerproject.")  # nobody else's since 20.10
TLS_OFF_REFUSED_SINCE = 27  # first Engine that does not start with TLS said to be off and a TCP port for others


def find_problems(
    options: OptionFiles, files_after: Mapping[str, str], target_version: str, *, options_changed: bool
) -> tuple[Finding, ...]:
    """`after`: the files as they are to be; `stale`: whether the running daemon had others than those of now."""
    before, options_after = effective(options), effective(replace(options, files=files_after))
    major = int(target_version.split(".")[0] or 0) if target_version[:1].isdigit() else 0
    return (
        *_json(options),
        *leftovers.find_leftovers(options, files_after, options_changed=options_changed),
        *_driver(options_after, major),
        *_removed(options_after, major),
        *conflicts.find_conflicts(options_after, major),
        *_labels(options_after),
        *_tls(options_after, major),
        *_live_restore(before),
        *_firewall(options_after),
        *_unread_files(options),
    )


def _json(options: OptionFiles) -> tuple[Finding, ...]:
    path = config_file(options)
    text = options.files.get(path)
    if text is None or isinstance(parsed(text), dict):
        return ()
    hint = f"Mend {path}: it is to hold one JSON object."
    return (Finding("daemon.json", "block", f"{path} is not valid JSON; no Engine starts with it", hint),)


def _driver(options_found: tuple[Option, ...], major: int) -> tuple[Finding, ...]:
    drivers = {option.value for option in options_found if key(option.name) == "storage-driver"}
    removed_drivers = sorted(driver for driver in drivers if major >= REMOVED_DRIVERS.get(driver, major + 1))
    hint = "Move the images and containers to overlay2 first, or choose an older [engine] version."
    return tuple(
        Finding("storage driver", "block", f"Engine {major} has no storage driver {driver}", hint)
        for driver in removed_drivers
    )


def _removed(options_found: tuple[Option, ...], major: int) -> tuple[Finding, ...]:
    removed_options = sorted(
        {key(option.name) for option in options_found if major >= REMOVED.get(key(option.name), major + 1)}
    )
    hint = "Take it out, on the host, or choose an older [engine] version."
    return tuple(
        Finding("removed options", "block", f"Engine {major} does not start with {name}", hint)
        for name in removed_options
    )


def _labels(options_found: tuple[Option, ...]) -> tuple[Finding, ...]:
    labels = {option.value for option in options_found if key(option.name) == "labels"}
    counted = Counter(label.split("=", 1)[0] for label in labels)
    hint = "Keep one of them: newer Engines refuse two values for one label."
    rename_hint = "Give it another name: no Engine since 20.10 starts with it."
    return (
        *(
            Finding("labels", "block", f"label {name} has {number} values", hint)
            for name, number in counted.items()
            if number > 1
        ),
        *(
            Finding("labels", "block", f"label {name} has a name that is Docker's own", rename_hint)
            for name in counted
            if name.startswith(OWN_LABELS)
        ),
    )


def _tls(options_found: tuple[Option, ...], major: int) -> tuple[Finding, ...]:
    off = [
        option.name
        for option in options_found
        if option.name in ("tls", "tlsverify") and option.value.lower() == "false"
    ]
    ports = [
        option.value for option in options_found if option.name in ("H", "host", "hosts") and _for_others(option.value)
    ]
    if major < TLS_OFF_REFUSED_SINCE or not off or not ports:
        return ()
    text = f"{', '.join(off)} is said to be false, and {ports[0]} is open to others: Engine {major} does not start so"
    return (Finding("TLS", "block", text, "Set tlsverify, with tlscacert, tlscert and tlskey; Imker needs it too."),)


def _for_others(listens: str) -> bool:
    return listens.startswith("tcp://") and not listens.startswith(("tcp://127.", "tcp://localhost", "tcp://[::1]"))


def _live_restore(options_found: tuple[Option, ...]) -> tuple[Finding, ...]:
    if not any(option.name == "live-restore" and option.value.lower() != "false" for option in options_found):
        return ()
    text = "live-restore leaves the options, as swarm mode needs: from now on containers stop with the Engine"
    return (Finding("live-restore", "pass", text),)


def _firewall(options_found: tuple[Option, ...]) -> tuple[Finding, ...]:
    if not any(option.name == "firewall-backend" and option.value == "nftables" for option in options_found):
        return ()
    text = "firewall-backend nftables does not go with swarm mode"
    return (Finding("firewall backend", "block", text, "Use iptables for it."),)


def _unread_files(options: OptionFiles) -> tuple[Finding, ...]:
    """/etc/default/docker is read by some packages' units only: options that nobody reads surprise people."""
    path = "/etc/default/docker"
    idle = "DOCKER_OPTS" in variables(options.files.get(path, "")) and path not in used_environment_files(options)
    text = f"{path} sets DOCKER_OPTS, which the unit does not use"
    return (Finding("options without a reader", "pass", text),) if idle and options.unit.fragment_path else ()
