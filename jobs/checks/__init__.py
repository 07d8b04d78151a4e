"""Named checks: facts in, Findings out. Pure."""
