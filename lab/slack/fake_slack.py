"""The stand-in's parts, which its servers share: what it remembers, does wrong, was asked, and who is connected."""

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
        """What the app called, for those who ask later."""
        self.calls.append({"method": method, "at": time.time(), "arguments": arguments, "outcome": outcome})
