"""Hosts that are simulated by a small state machine, and reached by real SSH and a real Engine API over TLS."""
