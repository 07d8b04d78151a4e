"""Hosts simulated by a small state machine, reached over real SSH and a real Engine API with TLS."""
