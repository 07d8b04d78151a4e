"""The events of a run as read from Redis. Pure."""

from dataclasses import dataclass

from imker.protocol.events import DecisionRequested, Event, JobFinished


@dataclass(frozen=True)
class UnreadableEvent:
    """Stands for an event of another protocol version."""

    job: int
    protocol_version: int


@dataclass(frozen=True)
class EventLog:
    """A run's events as read from Redis.

    `unreadable`: events of other protocol versions; `has_unsigned_entries`: there are entries that Imker did not write,
    or signed with another key. They are ignored.
    """

    events: tuple[Event, ...] = ()
    unreadable: tuple[UnreadableEvent, ...] = ()
    has_unsigned_entries: bool = False

    @property
    def other_version(self) -> int | None:
        """Return the highest other protocol version in the log, None if all events can be read."""
        return max((event.protocol_version for event in self.unreadable), default=None)

    @property
    def last_job(self) -> int:
        """Return the number of the last job with an event, 0 if there is none."""
        return max(self._jobs(), default=0)

    def has_job(self, job: int) -> bool:
        """Return whether that job has emitted an event, readable or not."""
        return job in self._jobs()

    def outcome_of(self, job: int) -> JobFinished | DecisionRequested | None:
        """Return how that job ended: its outcome with the lowest number, None if it has none yet."""
        bodies = {event.number: event.body for event in self.events if event.job == job}
        ordered = (bodies[number] for number in sorted(bodies))
        return next((body for body in ordered if isinstance(body, JobFinished | DecisionRequested)), None)

    def _jobs(self) -> set[int]:
        return {event.job for event in self.events} | {event.job for event in self.unreadable}
