"""The parts of the fake Slack that its servers share: state, faults, recorded calls, and connections."""

import time
from pathlib import Path
from typing import Any

from lab.slack.change_notifier import ChangeNotifier
from lab.slack.faults import Faults
from lab.slack.socket_mode import SocketMode
from lab.slack.state import SlackState


class FakeSlack:
    def __init__(self, config: Path | None = None) -> None:
        self.state = SlackState(config)
        self.faults = Faults()
        self.socket_mode = SocketMode(self.faults)
        self.changes = ChangeNotifier()
        self.calls: list[dict[str, Any]] = []

    def record_call(self, method: str, arguments: dict[str, Any], outcome: Any) -> None:
        """Record a call of the app."""
        self.calls.append({"method": method, "at": time.time(), "arguments": arguments, "outcome": outcome})
