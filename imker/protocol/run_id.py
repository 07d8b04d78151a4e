"""Compute the IDs of runs. Pure."""

import base64
import hashlib


def run_id(trigger: str) -> str:
    """Return a run's ID: eight characters that are easy to type, the same if Slack delivers the command twice."""
    return base64.b32encode(hashlib.sha256(trigger.encode()).digest()).decode().lower()[:8]


def host_run_id(run: str, host: str) -> str:
    """Return the ID of a host's run in a fleet's run. It never changes, so each host starts once."""
    return run_id(f"{run}:{host}")
