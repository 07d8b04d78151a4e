"""Handle the buttons of next steps: each does what its command does, through the same checks."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from bot.handlers.delivery import Delivery
from bot.handlers.status import run_with_fleet
from bot.messages.block_kit import Reply
from bot.messages.replies import responses
from bot.records import RunRecord
from bot.runs.store import RunStore
from bot.state.next_step import NextStep
from bot.state.next_steps import next_steps

HandleTyped = Callable[[Delivery, Reply, str], None]  # the delivery of a command, the reply, and a key for its run


@dataclass(frozen=True)
class NextStepHandler:
    """Turn a click into the command that the run's current state offers, and hand that to `handle_typed`."""

    runs: RunStore
    handle_typed: HandleTyped

    def handle_button(self, delivery: Delivery, reply: Reply) -> None:
        """Do what the button says. A button that its run does not offer now, or of another message, does nothing."""
        step = self._offered_step(delivery)
        if step is None:
            return reply(responses.button_gone())
        command = replace(delivery, kind="command", text=step.command, step="")
        return self.handle_typed(command, reply, f"{delivery.text}:{step.name}")

    def _offered_step(self, delivery: Delivery) -> NextStep | None:
        """Return the step with the delivery's name, from the table: what the payload says is not trusted."""
        record = record_of_button(self.runs, delivery)
        snapshot = self.runs.snapshot(record.run) if record else None
        if snapshot is None or delivery.text != f"{snapshot.record.run}:{snapshot.record.job_count}":
            return None
        steps = next_steps(*run_with_fleet(self.runs, snapshot))
        return next((step for step in steps if step.name == delivery.step and not step.choice), None)


def record_of_button(runs: RunStore, delivery: Delivery) -> RunRecord | None:
    """Return the record of the run that the button's value names, None if the button is not in that run's message."""
    record = named_record(runs, delivery)
    if record is None or record.channel != delivery.channel:
        return None
    return record if runs.posted_messages.get(record.run).get("ts") == delivery.message_ts else None


def named_record(runs: RunStore, delivery: Delivery) -> RunRecord | None:
    """Return the record of the run that the button's value names, None if the value is invalid."""
    run, _, job = delivery.text.partition(":")
    return runs.record(run) if re.fullmatch(r"[0-9]{1,6}", job, re.ASCII) else None
