"""Random faults on real processes, a real Redis, the fake Slack, and simulated hosts; then a check of invariants."""
