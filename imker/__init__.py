"""Share Redis, configuration, logging, and the protocol between bot and jobs. No Slack, no hosts."""
