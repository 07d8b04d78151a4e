"""Options that are given twice, so that no Engine starts with them. In: the options after the rewrite. Pure."""

from collections import Counter
from collections.abc import Iterator

from imker.protocol.values import Finding
from jobs.daemon_options.flags import DATA_ROOT, key
from jobs.daemon_options.model import Option

BOTH_ALLOWED = ("runtimes",)  # the Engine puts these together
SAME_PORT = 23  # first Engine that listens once on what it is told twice


def find_conflicts(options_found: tuple[Option, ...], major: int) -> tuple[Finding, ...]:
    """`major`: the Engine's version after."""
    return (*_flag_and_key(options_found), *_hosts(options_found, major), *_data_root(options_found))


def _flag_and_key(options_found: tuple[Option, ...]) -> Iterator[Finding]:
    flags = {key(option.name) for option in options_found if not option.in_json}
    path = next((option.path for option in options_found if option.in_json), "")
    keys = {option.name for option in options_found if option.in_json}
    hint = f"Keep each in one place: take it out of {path} or off the command line."
    for name in sorted((flags & keys).difference(BOTH_ALLOWED)):
        yield Finding("options given twice", "block", f"{name} is both a flag and in {path}; no Engine starts so", hint)


def _hosts(options_found: tuple[Option, ...], major: int) -> Iterator[Finding]:
    counted = Counter(option.value for option in options_found if key(option.name) == "hosts")
    for host, times in counted.items() if major < SAME_PORT else ():
        if times > 1:
            yield Finding(
                "options given twice",
                "block",
                f"-H {host} stands there {times} times; Engine {major} does not start so",
            )


def _data_root(options_found: tuple[Option, ...]) -> Iterator[Finding]:
    """The old key stays where the new one is there too: which of them is meant, a person has to say."""
    if {"graph", DATA_ROOT} <= {option.name for option in options_found if option.in_json}:
        yield Finding(
            "options given twice",
            "block",
            f"daemon.json has both graph and {DATA_ROOT}; no Engine starts so",
            "Keep one.",
        )
