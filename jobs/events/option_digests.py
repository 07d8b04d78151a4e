"""Save digests of the daemon options with which Imker left a host, and compare the current options with them."""

from functools import partial

from pydantic import TypeAdapter

from imker.protocol.version import options_key
from imker.text import one_line
from jobs.daemon_options import OptionFiles
from jobs.daemon_options.drift import describe_drift, digests
from jobs.events.writer import EventWriter

MAX_OPTION_NAME = 60  # characters of an option's name, which a host reports
_DIGESTS_ADAPTER: TypeAdapter[dict[str, str]] = TypeAdapter(dict[str, str])


def save_options(events: EventWriter, host: str, options: OptionFiles) -> None:
    """Save the digests of the host's current options."""
    current = digests(options, partial(events.digest, host))
    events.save_signed(options_key(host), _DIGESTS_ADAPTER.dump_json(current).decode())


def load_digests(events: EventWriter, host: str) -> dict[str, str] | None:
    """Return the saved digests, None if Imker has not left this host in swarm mode, or Redis lost them."""
    stored = events.load_signed(options_key(host))
    try:
        return _DIGESTS_ADAPTER.validate_json(stored) if stored is not None else None
    except ValueError:
        return None


def find_drift(events: EventWriter, host: str, options: OptionFiles, saved: dict[str, str]) -> tuple[str, ...]:
    """Return how the host's current options differ from the saved ones."""
    changes = describe_drift(saved, digests(options, partial(events.digest, host)))
    return tuple(one_line(change, MAX_OPTION_NAME) for change in changes)
