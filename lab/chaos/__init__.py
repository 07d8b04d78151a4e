"""Random faults on real processes, a real Redis, the lab's Slack and simulated hosts; then a check of the history."""
