"""Show the watch, turn it on or off, and mute it."""

from dataclasses import dataclass

from bot.commands.model import ControlWatch, ShowWatch
from bot.handlers.access import Invocation
from bot.handlers.audit import AuditRecorder
from bot.messages.watch import status
from bot.runs.store import RunStore
from bot.watch.model import WatchMode


@dataclass(frozen=True)
class WatchHandler:
    """`every`: seconds between two looks at the swarm; `channel`: where the watch posts."""

    runs: RunStore
    audit: AuditRecorder
    every: int
    channel: str

    def handle_command(self, invocation: Invocation, command: ShowWatch | ControlWatch) -> None:
        """Record the command, apply it, and reply with the watch as it is then. Raises RedisError, AuditLogBroken."""
        delivery = invocation.delivery
        self.audit.command(delivery.user, delivery.channel, delivery.delivery_id, f"/swarm {invocation.text}")
        if isinstance(command, ControlWatch):
            self.runs.watch.save_mode(_mode_after(command, delivery.user, delivery.received_at))
        view = status.WatchView(self.runs.watch.mode(), self.runs.watch.state(), self.every, self.channel)
        invocation.reply(status.watch_status(view, delivery.received_at))


def _mode_after(command: ControlWatch, user: str, now: float) -> WatchMode:
    if command.action == "mute":
        return WatchMode(muted_until=now + command.seconds, user=user)
    return WatchMode(is_on=command.action == "on", user=user)
