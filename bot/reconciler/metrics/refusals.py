"""Count refusals in the audit log since this process started."""

import re
from collections import Counter
from collections.abc import Mapping
from itertools import takewhile
from typing import get_args

from bot.messages.block_kit import Refusal
from imker.audit_log import AuditLog

KINDS = {*filter(None, get_args(Refusal)), "no right", "job rejected"}
COUNTED = re.compile("([0-9]{1,6}) more ")  # how an entry says that it stands for others
MAX_NEW = 5000  # entries that are read at once; of more, the older ones are not counted


class RefusalCounter:
    """Read the entries that were added since the last call."""

    def __init__(self, audit: AuditLog) -> None:
        self._audit = audit
        self._last: int | None = None
        self.counts: Counter[str] = Counter(dict.fromkeys(sorted(KINDS), 0))

    def update(self) -> int:
        """Count new refusals. Return the number of the latest entry. Raises RedisError, AuditLogBroken."""
        head = self._audit.head()
        latest = head.seq if head else 0
        if self._last is not None and latest != self._last:
            last = max(self._last, latest - MAX_NEW) if latest > self._last else 0  # a shorter log is a new one
            for entry in takewhile(lambda entry: entry.seq > last, self._audit.newest_first()):
                if entry.fact.kind == "refused":
                    self._count(entry.fact.details)
        self._last = latest
        return latest

    def _count(self, details: Mapping[str, str]) -> None:
        """Count the refusal of an entry, and those that it stands for."""
        why = details.get("why", "")
        more = COUNTED.match(details.get("more", ""))
        number = int(more[1]) if more else 0
        self.counts[why if why in KINDS else "other"] += number + (why != "no right")
