"""Read and write a run's alerts in the fields of what was posted of it.

An alert is saved before it is posted: with its questions, and the channels that it goes to. Where each message is, and
a digest of what it says, are fields of their own.
"""

from typing import get_args

from bot.runs.posted_messages import PostedFields
from bot.state.alerts import Alert, QuestionSource
from imker.protocol.events import Question

END_KEY = "alert:end"
ALERT, REMINDER = "alert", "reminder"
THREAD = ""  # in place of a channel: the thread of the run's message


def alert_key(alert: Alert, kind: str = ALERT) -> str:
    """Return the name of the field with the message's ts. `kind`: ALERT or REMINDER."""
    return f"{kind}:{alert.question}:{alert.number}"


def message_key(key: str, channel: str) -> str:
    """Return the name of the field with the ts of the message in this channel."""
    return f"{key} {channel}" if channel else key


def read_alerts(fields: PostedFields) -> tuple[Alert, ...]:
    """Return the run's alerts about questions, in the order of their numbers."""
    return tuple(alert for question in get_args(Question) for alert in _read(fields, question))


def _read(fields: PostedFields, question: Question) -> list[Alert]:
    alerts: list[Alert] = []
    while (stored := fields.get(f"{ALERT}:{question}:{len(alerts) + 1} of")) is not None:
        alerts.append(Alert(question, len(alerts) + 1, tuple(map(_parse, stored.split()))))
    return alerts


def questions_field(alert: Alert) -> dict[str, str]:
    """Return the field that saves the alert's questions."""
    return {f"{alert_key(alert)} of": " ".join(f"{source.run}:{source.job}:{source.host}" for source in alert.sources)}


def channels_field(key: str, channels: tuple[str, ...]) -> dict[str, str]:
    """Return the field that saves where the alert goes."""
    return {f"{key} to": " ".join(channels)}


def read_channels(fields: PostedFields, key: str) -> tuple[str, ...] | None:
    """Return where the alert goes, None if there is no such alert."""
    stored = fields.get(f"{key} to")
    return None if stored is None else tuple(stored.split()) or (THREAD,)


def _parse(text: str) -> QuestionSource:
    run, job, host = text.split(":", 2)
    return QuestionSource(run, int(job), host)
