"""How long the fake Slack waits for the app: Slack's three seconds, or as many as LAB_SLACK_PATIENCE says.

Tests that measure nothing need more on a busy machine.
"""

import os

VARIABLE = "LAB_SLACK_PATIENCE"
PATIENCE = float(os.environ.get(VARIABLE, "3"))  # seconds
