"""Group incidents by the message that shows them, and find the replies in its thread. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass

from bot.watch.model import Incident, LeaderChange, WatchState


@dataclass(frozen=True)
class IncidentMessage:
    """Incidents that one message shows. `id`: names the message."""

    id: str
    incidents: tuple[Incident, ...]

    @property
    def is_open(self) -> bool:
        return any(incident.is_open for incident in self.incidents)

    @property
    def is_active(self) -> bool:
        """Return whether it may still change."""
        return any(incident.phase != "resolved" for incident in self.incidents)

    @property
    def decided_at(self) -> float:
        """Return when the message was decided, in UNIX seconds."""
        return self.incidents[0].notices[0]


@dataclass(frozen=True)
class Repeat:
    """A reply that says that incidents of a message are open again. `id`: names the reply."""

    id: str
    message: str
    incidents: tuple[Incident, ...]


def incident_messages(state: WatchState) -> tuple[IncidentMessage, ...]:
    """Return the messages that there should be, oldest first."""
    grouped: dict[str, list[Incident]] = {}
    for incident in state.incidents:
        if incident.message:
            grouped.setdefault(incident.message, []).append(incident)
    messages = [IncidentMessage(name, tuple(_ordered(incidents))) for name, incidents in grouped.items()]
    return tuple(sorted(messages, key=lambda message: (message.decided_at, message.id)))


def repeats(message: IncidentMessage) -> tuple[Repeat, ...]:
    """Return the replies about incidents that are open again, oldest first."""
    times = sorted({at for incident in message.incidents for at in incident.notices[1:]})
    return tuple(
        Repeat(
            f"{message.id} again {int(at)}",
            message.id,
            tuple(incident for incident in message.incidents if at in incident.notices[1:]),
        )
        for at in times
    )


def thread_of(change: LeaderChange, messages: Iterable[IncidentMessage]) -> str:
    """Return the ID of the message that a change of the leader belongs to, "" if there is none.

    That is the one about the former leader, or else the newest one.
    """
    newest_first = sorted(messages, key=lambda message: -message.decided_at)
    about = [each for each in newest_first if f"node {change.old_node}" in _keys(each)]
    return next((message.id for message in (*about, *newest_first)), "")


def _keys(message: IncidentMessage) -> set[str]:
    return {incident.condition.key for incident in message.incidents}


def _ordered(incidents: list[Incident]) -> list[Incident]:
    return sorted(incidents, key=lambda incident: (incident.condition.label, incident.condition.key))
