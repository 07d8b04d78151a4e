"""What both sides stand on: Redis, the configuration file, the log. Knows nothing of Slack or of hosts."""
