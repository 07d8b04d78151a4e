"""Talk to Slack: receive commands, record runs, render messages. Never reaches a host."""

from imker.lean_imports import import_without

import_without("structlog", "rich")
