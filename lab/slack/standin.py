"""The stand-in's parts, which its servers share: what it remembers, does wrong, was asked, and who is connected."""

import time
from pathlib import Path
from typing import Any

from lab.slack.changes import Changes
from lab.slack.faults import Faults
from lab.slack.sockets import Sockets
from lab.slack.state import State


class StandIn:
    def __init__(self, config: Path | None = None) -> None:
        self.state = State(config)
        self.faults = Faults()
        self.sockets = Sockets(self.faults)
        self.changes = Changes()
        self.calls: list[dict[str, Any]] = []

    def note(self, method: str, arguments: dict[str, Any], outcome: Any) -> None:
        """What the app called, for those who ask later."""
        self.calls.append({"method": method, "at": time.time(), "arguments": arguments, "outcome": outcome})
