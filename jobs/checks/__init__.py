"""Run the named checks: facts in, Findings out. Pure."""
