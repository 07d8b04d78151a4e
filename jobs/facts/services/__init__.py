"""The swarm's services and their tasks: what they are, where they fit, and why they do not run. Pure."""
