"""Find options that are set twice, which keep the Engine from starting. In: the options after the rewrite. Pure."""

from collections import Counter
from collections.abc import Iterator

from imker.protocol.values import Finding
from jobs.daemon_options.flags import DATA_ROOT, key
from jobs.daemon_options.model import Option

BOTH_ALLOWED = ("runtimes",)  # the Engine merges these
REPEATED_HOST_MAJOR = 23  # first Engine that accepts the same -H twice


def find_conflicts(options_found: tuple[Option, ...], major: int) -> tuple[Finding, ...]:
    """Return the findings. `major`: major version of the target Engine."""
    return (
        *_find_flags_and_keys(options_found),
        *_find_repeated_hosts(options_found, major),
        *_find_two_data_roots(options_found),
    )


def _find_flags_and_keys(options_found: tuple[Option, ...]) -> Iterator[Finding]:
    flags = {key(option.name) for option in options_found if not option.in_json}
    path = next((option.path for option in options_found if option.in_json), "")
    keys = {option.name for option in options_found if option.in_json}
    hint = f"Set it in one place only: remove it from {path} or from the command line."
    for name in sorted((flags & keys).difference(BOTH_ALLOWED)):
        yield Finding(
            "options given twice",
            "block",
            f"{name} is set both as a flag and in {path}; the Engine would not start",
            hint,
        )


def _find_repeated_hosts(options_found: tuple[Option, ...], major: int) -> Iterator[Finding]:
    counted = Counter(option.value for option in options_found if key(option.name) == "hosts")
    for host, times in counted.items() if major < REPEATED_HOST_MAJOR else ():
        if times > 1:
            yield Finding(
                "options given twice",
                "block",
                f"-H {host} is set {times} times; Engine {major} would not start",
            )


def _find_two_data_roots(options_found: tuple[Option, ...]) -> Iterator[Finding]:
    """Find daemon.json with the old and the new key of the data root. An operator has to choose one."""
    if {"graph", DATA_ROOT} <= {option.name for option in options_found if option.in_json}:
        yield Finding(
            "options given twice",
            "block",
            f"daemon.json has both graph and {DATA_ROOT}; the Engine would not start",
            "Remove one of them.",
        )
