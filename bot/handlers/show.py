"""Handle the button that posts a private answer to its channel."""

from dataclasses import dataclass

from bot.auth.permissions import permission_for
from bot.auth.policy import Denied
from bot.handlers.access import Access
from bot.handlers.audit import AuditRecorder
from bot.handlers.delivery import Delivery
from bot.messages.block_kit import Reply
from bot.messages.replies import responses
from bot.records import RunRecord
from bot.runs.store import RunStore


@dataclass(frozen=True)
class ShowHandler:
    """Let the requester of a private answer post it, if they may use its command in the channel."""

    access: Access
    runs: RunStore
    audit: AuditRecorder

    def handle_button(self, delivery: Delivery, reply: Reply) -> None:
        """Post the answer of the run that the button's value names. A second click posts nothing more."""
        record = self._own_private_run(delivery)
        if record is None:
            return reply(responses.button_gone())
        actor = self.access.fetch_actor(delivery.user, fresh=True)
        checked = self.access.authorize(actor, permission_for(record.command), record.channel)
        if isinstance(checked, Denied):
            return reply(responses.denied(checked))
        self.audit.command(delivery.user, delivery.channel, delivery.delivery_id, f"button show {record.run}")
        self.runs.show(record.run, delivery.user)
        return None

    def _own_private_run(self, delivery: Delivery) -> RunRecord | None:
        """Return the private run, None unless the user requested it in this channel."""
        record = self.runs.record(delivery.text)
        place = (delivery.user, delivery.channel)
        is_own = record is not None and record.is_private and (record.requester, record.channel) == place
        return record if is_own else None
