"""Compare the daemon's options with those with which Imker left the host. Pure.

Options are compared by digests, because a value may be a secret.
"""

from collections.abc import Callable, Mapping

from jobs.daemon_options.effective import effective
from jobs.daemon_options.model import OptionFiles

Digests = Mapping[str, str]  # by option
Digest = Callable[[str, str], str]  # (name of an option, its values) -> a digest that only this Imker can make


def digests(options: OptionFiles, digest: Digest) -> dict[str, str]:
    """Return a digest of each option's values, in any order."""
    values: dict[str, list[str]] = {}
    for option in effective(options):
        values.setdefault(option.name, []).append(option.value)
    return {name: digest(name, "\n".join(sorted(listed))) for name, listed in values.items()}


def describe_drift(before: Digests, after: Digests) -> tuple[str, ...]:
    """Return what has changed, such as "icc was removed", by the names of the options."""
    texts = {
        **dict.fromkeys(before.keys() - after.keys(), "was removed"),
        **dict.fromkeys(after.keys() - before.keys(), "was added"),
        **{name: "was changed" for name in before.keys() & after.keys() if before[name] != after[name]},
    }
    return tuple(f"{name} {texts[name]}" for name in sorted(texts))
