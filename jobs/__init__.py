"""Run jobs: inspect hosts, plan, execute, emit events. Never talks to Slack."""

from imker.lean_imports import import_without

import_without("structlog", "rich")
